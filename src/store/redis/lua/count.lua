-- KEYS: counter. ARGV: limit, length of a window, moment. Whether it is allowed, how many now, when the window closes.
local most, per, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local stored = redis.call('HMGET', KEYS[1], 'count', 'resets')
local count, resets = tonumber(stored[1]), tonumber(stored[2])
if not count or now >= resets then count, resets = 0, now + per end
if count >= most then return { 0, count, resets } end
redis.call('HSET', KEYS[1], 'count', count + 1, 'resets', string.format('%.0f', resets))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', resets - now))
return { 1, count + 1, resets }
