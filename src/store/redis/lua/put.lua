-- KEYS: record. ARGV: content, moment of its end, how long until then.
redis.call('HSET', KEYS[1], 'record', ARGV[1], 'expires', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
