-- KEYS: index by expiry, session. ARGV: hash, moment of activity, how long it is remembered beyond its end.
-- Does nothing where the session is gone, has ended by then, or was active later.
local seen = tonumber(ARGV[2])
local stored = redis.call('HMGET', KEYS[2], 'seen', 'idle', 'expires')
local last, idle, expires = tonumber(stored[1]), tonumber(stored[2]), tonumber(stored[3])
if not last or seen <= last or seen >= math.min(last + idle, expires) then return end
local ends = math.min(seen + idle, expires)
redis.call('HSET', KEYS[2], 'seen', ARGV[2])
redis.call('PEXPIRE', KEYS[2], string.format('%.0f', ends - seen + tonumber(ARGV[3])))
redis.call('ZADD', KEYS[1], string.format('%.0f', ends), ARGV[1])
