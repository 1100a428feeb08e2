-- KEYS: counters. ARGV: moment.
for _, key in ipairs(KEYS) do
    local stored = redis.call('HMGET', key, 'count', 'resets')
    local count, resets = tonumber(stored[1]), tonumber(stored[2])
    if count and count > 0 and tonumber(ARGV[1]) < resets then redis.call('HINCRBY', key, 'count', -1) end
end
