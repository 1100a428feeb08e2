-- ARGV: account. Newest first: hash and fields in turn.
local found = {}
for _, hash in ipairs(redis.call('ZREVRANGE', user_key(ARGV[3]), 0, -1)) do
    local fields = redis.call('HMGET', session_key(hash), 'account', 'version', 'user', 'created', 'seen', 'idle',
        'expires', 'details')
    if fields[1] then
        table.insert(found, hash)
        table.insert(found, fields)
    end
end
return found
