-- ARGV: account, hash to be spared or nothing, version from which on sessions are spared or nothing.
local spared, version, ended = ARGV[4], tonumber(ARGV[5]), 0
local index = user_key(ARGV[3])
for _, hash in ipairs(redis.call('ZRANGE', index, 0, -1)) do
    local stored = tonumber(redis.call('HGET', session_key(hash), 'version'))
    if not stored then
        redis.call('ZREM', index, hash)
    elseif hash ~= spared and not (version and stored >= version) then
        ended = ended + remove(hash)
    end
end
return ended
