-- ARGV: old hash, new hash, fields. The new one first: where Redis has no memory for it, the old one stays.
if redis.call('EXISTS', session_key(ARGV[3])) == 0 then return 0 end
insert(ARGV[4], 5)
return remove(ARGV[3])
