-- ARGV: generation from which on families are spared, or nothing. How many ended.
local spared, ended = tonumber(ARGV[2]), 0
each_family(function(family, id)
    local generation = tonumber(redis.call('HGET', token_key(id), 'generation'))
    if not (spared and generation and generation >= spared) then ended = ended + end_family(family, id) end
end)
return ended
