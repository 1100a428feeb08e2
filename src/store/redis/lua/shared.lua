-- Stands before the scripts of sessions. KEYS[1] is the index by expiry; ARGV[1] and ARGV[2] are the beginnings of the names of
-- sessions and of users' indexes. A single server holds all keys, so scripts may make up names of keys.

local by_expiry = KEYS[1]

local function session_key(hash) return ARGV[1] .. hash end
local function user_key(account) return ARGV[2] .. account end

-- An index outlives the last of its members.
local function keep_for(key, milliseconds)
    if redis.call('PTTL', key) < milliseconds then redis.call('PEXPIRE', key, milliseconds) end
end

local function remove(hash)
    local key = session_key(hash)
    local account = redis.call('HGET', key, 'account')
    redis.call('ZREM', by_expiry, hash)
    if not account then return 0 end
    redis.call('ZREM', user_key(account), hash)
    return redis.call('DEL', key)
end

-- Fields: account, version, user, created, seen, idle, expires, details, each as it is stored, then when the session
-- ends, how long its key is kept, and how long that can come to be.
local function insert(hash, first)
    local key, account, created = session_key(hash), ARGV[first], ARGV[first + 3]
    local ends, left, lifetime = ARGV[first + 8], tonumber(ARGV[first + 9]), tonumber(ARGV[first + 10])
    redis.call('HSET', key, 'account', account, 'version', ARGV[first + 1], 'user', ARGV[first + 2], 'created', created,
        'seen', ARGV[first + 4], 'idle', ARGV[first + 5], 'expires', ARGV[first + 6], 'details', ARGV[first + 7])
    redis.call('PEXPIRE', key, left)
    redis.call('ZADD', user_key(account), created, hash)
    keep_for(user_key(account), lifetime)
    redis.call('ZADD', by_expiry, ends, hash)
    keep_for(by_expiry, lifetime)
end
