-- ARGV: old hash, new hash, fields.
if remove(ARGV[3]) == 0 then return 0 end
insert(ARGV[4], 5)
return 1
