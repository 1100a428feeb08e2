-- ARGV: moment, most at once. How many were looked at.
local ended = redis.call('ZRANGEBYSCORE', by_expiry, '-inf', ARGV[3], 'LIMIT', 0, ARGV[4])
for _, hash in ipairs(ended) do remove(hash) end
return #ended
