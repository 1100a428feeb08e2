-- KEYS: counter.
redis.call('DEL', KEYS[1])
