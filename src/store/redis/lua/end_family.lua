-- ARGV: family.
local id = redis.call('HGET', index, ARGV[2])
return id and end_family(ARGV[2], id) or 0
