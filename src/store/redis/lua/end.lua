-- ARGV: hash.
return remove(ARGV[3])
