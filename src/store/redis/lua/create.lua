-- ARGV: hash, most sessions, fields. The new session is never among the oldest, whatever its clock says.
local hash, most, index = ARGV[3], tonumber(ARGV[4]), user_key(ARGV[5])
remove(hash)
insert(hash, 5)
if redis.call('ZCARD', index) <= most then return end
local others = {}
for _, other in ipairs(redis.call('ZRANGE', index, 0, -1)) do
    if redis.call('EXISTS', session_key(other)) == 0 then
        redis.call('ZREM', index, other)
    elseif other ~= hash then
        table.insert(others, other)
    end
end
for number = 1, #others - (most - 1) do remove(others[number]) end
