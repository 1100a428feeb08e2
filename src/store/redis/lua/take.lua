-- KEYS: record. ARGV: moment.
local stored = redis.call('HMGET', KEYS[1], 'record', 'expires')
redis.call('DEL', KEYS[1])
return stored[1] and tonumber(ARGV[1]) < tonumber(stored[2]) and stored[1]
