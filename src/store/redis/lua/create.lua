-- ARGV: hash, most sessions, fields. The new session is never among the oldest, whatever its clock says; those that had expired when
-- it was made end before all that live. How many it ended.
local hash, most, index = ARGV[3], tonumber(ARGV[4]), user_key(ARGV[5])
local now = tonumber(ARGV[8])
remove(hash)
insert(hash, 5)
if redis.call('ZCARD', index) <= most then return 0 end
local expired, others = {}, {}
for _, other in ipairs(redis.call('ZRANGE', index, 0, -1)) do
    local stored = redis.call('HMGET', session_key(other), 'seen', 'idle', 'expires')
    if not stored[1] then
        redis.call('ZREM', index, other)
    elseif other ~= hash then
        local ends = math.min(tonumber(stored[1]) + tonumber(stored[2]), tonumber(stored[3]))
        table.insert(ends <= now and expired or others, other)
    end
end
for _, other in ipairs(others) do table.insert(expired, other) end
others = expired
local ended = 0
for number = 1, #others - (most - 1) do ended = ended + remove(others[number]) end
return ended
