-- ARGV: account, version, user.
local version = tonumber(ARGV[4])
for _, hash in ipairs(redis.call('ZRANGE', user_key(ARGV[3]), 0, -1)) do
    local stored = tonumber(redis.call('HGET', session_key(hash), 'version'))
    if stored and stored < version then
        redis.call('HSET', session_key(hash), 'version', ARGV[4], 'user', ARGV[5])
    end
end
