-- ARGV: moment, grace, family, token presented, successor, address and browser of whoever asks. What became of it, and the present
-- token where that has just replaced the one presented. The new key first: where Redis has no memory for it, the old one stays.
local now, grace, family, presented, successor = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
local id = redis.call('HGET', index, family)
local stored = id and read(id)
if not stored or now >= tonumber(stored[7]) then return { 'unknown', false } end
if id == presented then
    local left = redis.call('PTTL', token_key(id))
    write(successor, { family, presented, stored[4], stored[5], ARGV[2], stored[7], ARGV[7], ARGV[8] }, left)
    redis.call('DEL', token_key(id))
    return { 'rotated', false }
end
if stored[3] == presented and now < tonumber(stored[6]) + grace then return { 'repeated', stored } end
end_family(family, id)
return { 'reused', false }
