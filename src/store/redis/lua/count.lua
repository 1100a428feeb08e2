-- KEYS: counters. ARGV: moment, then for each counter its limit and the length of a window. How many each held before, and when its
-- window closes; one more is counted under each, if every limit allows it.
local now = tonumber(ARGV[1])
local found, allowed = {}, true
for i, key in ipairs(KEYS) do
    local most, per = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
    local stored = redis.call('HMGET', key, 'count', 'resets')
    local count, resets = tonumber(stored[1]), tonumber(stored[2])
    if not count or now >= resets then count, resets = 0, now + per end
    found[i] = { count, resets }
    allowed = allowed and count < most
end
if allowed then
    for i, key in ipairs(KEYS) do
        local count, resets = found[i][1], found[i][2]
        redis.call('HSET', key, 'count', count + 1, 'resets', string.format('%.0f', resets))
        redis.call('PEXPIRE', key, string.format('%.0f', resets - now))
    end
end
return found
