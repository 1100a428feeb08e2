-- KEYS: counter. ARGV: moment.
local stored = redis.call('HMGET', KEYS[1], 'count', 'resets')
local count, resets = tonumber(stored[1]), tonumber(stored[2])
if count and count > 0 and tonumber(ARGV[1]) < resets then redis.call('HINCRBY', KEYS[1], 'count', -1) end
