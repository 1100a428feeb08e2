-- Stands before the scripts of refresh tokens. KEYS[1] is the account's index, from families to their present tokens; ARGV[1] is the
-- beginning of the names of its tokens. A single server holds all keys, so scripts may make up names of keys.

local index = KEYS[1]

local function token_key(id) return ARGV[1] .. id end

-- An index outlives the last of its members.
local function keep_for(key, milliseconds)
    if redis.call('PTTL', key) < milliseconds then redis.call('PEXPIRE', key, milliseconds) end
end

-- How many ended: none where Redis was faster.
local function end_family(family, id)
    redis.call('HDEL', index, family)
    return redis.call('DEL', token_key(id))
end

-- Calls something with each family and its present token.
local function each_family(call)
    local members = redis.call('HGETALL', index)
    for number = 1, #members, 2 do call(members[number], members[number + 1]) end
end

-- Id, family, predecessor, generation, began_at, issued_at, expires_at, ip, user_agent; nothing where Redis has ended it.
local function read(id)
    local stored = redis.call('HMGET', token_key(id), 'family', 'predecessor', 'generation', 'began_at', 'issued_at',
        'expires_at', 'ip', 'user_agent')
    return stored[1] and { id, unpack(stored) }
end

local function write(id, fields, milliseconds)
    redis.call('HSET', token_key(id), 'family', fields[1], 'predecessor', fields[2], 'generation', fields[3], 'began_at', fields[4],
        'issued_at', fields[5], 'expires_at', fields[6], 'ip', fields[7], 'user_agent', fields[8])
    redis.call('PEXPIRE', token_key(id), milliseconds)
    redis.call('HSET', index, fields[1], id)
end
