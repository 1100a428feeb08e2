-- ARGV: moment, most families, how long the new one lasts, its id, its fields. The new one is never among the oldest, whatever its
-- clock says.
local now, most, lasts = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local others = {}
each_family(function(family, id)
    local stored = redis.call('HMGET', token_key(id), 'began_at', 'expires_at')
    if stored[1] and now < tonumber(stored[2]) then
        table.insert(others, { family = family, id = id, began = tonumber(stored[1]) })
    else
        end_family(family, id)
    end
end)
write(ARGV[5], { unpack(ARGV, 6) }, lasts)
keep_for(index, lasts)
table.sort(others, function(one, other) return one.began < other.began end)
for number = 1, #others - (most - 1) do end_family(others[number].family, others[number].id) end
