-- KEYS: counters.
redis.call('DEL', unpack(KEYS))
