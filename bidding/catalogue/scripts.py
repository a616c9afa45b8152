"""The catalogue's Lua scripts. KEYS[1] of each is the prefix of all keys:

    marker              hash: epoch, complete ("1"), server, handed_over; see `keeper`
    lot:<id>            hash: mark, row (the JSON of a list's item), places, product
    order:<scope>:<o>   sorted set: the ids of a scope by the order o
    set:<filter>        set: the ids that pass a filter
    word:<word>         set: the ids with this word in their title
    words, suffixes     sorted sets without scores: the words in use, and "<suffix>\0<word>" of each
    stock               hash: product -> "<version> <available>"
    own:<epoch>:<user>  sorted set: the auctions that a user acted in, by the time of the last act; see `OWN`
    found:…, union:…    what a search has found, for RESULT_MS

No key is ever half written, because each script runs alone.
"""

RESULT_MS = 1_000
MAX_WORDS_FOUND = 50  # that contain one word of a search

_STOCK = """
local function put_stock(p, product, version, available)
  local old = redis.call('HGET', p .. 'stock', product)
  if not old or tonumber(string.match(old, '^%d+')) < version then
    redis.call('HSET', p .. 'stock', product, string.format('%d %d', version, available))
  end
end
"""

# ARGV: JSON of an index.Lot each. An older mark never replaces a newer one. How many were new.
PUT = (
    _STOCK
    + """
local p = KEYS[1]

local function without(these, others)
  local known, left = {}, {}
  for _, other in ipairs(others) do known[other] = true end
  for _, this in ipairs(these) do if not known[this] then left[#left + 1] = this end end
  return left
end

local function suffixes(word, command)
  for start = 2, #word - 2 do
    local byte = string.byte(word, start)
    if byte < 128 or byte > 191 then -- where a character begins
      local entry = string.sub(word, start) .. '\\0' .. word
      if command == 'ZADD' then redis.call('ZADD', p .. 'suffixes', 0, entry)
      else redis.call('ZREM', p .. 'suffixes', entry) end
    end
  end
end

local function leave(id, was, is, scores)
  for _, scope in ipairs(without(was.scopes, is.scopes)) do
    for order in pairs(scores) do redis.call('ZREM', p .. 'order:' .. scope .. ':' .. order, id) end
  end
  for _, set in ipairs(without(was.sets, is.sets)) do redis.call('SREM', p .. 'set:' .. set, id) end
  for _, word in ipairs(without(was.words, is.words)) do
    redis.call('SREM', p .. 'word:' .. word, id)
    if redis.call('EXISTS', p .. 'word:' .. word) == 0 then
      redis.call('ZREM', p .. 'words', word)
      suffixes(word, 'ZREM')
    end
  end
end

local function enter(id, was, is)
  for _, set in ipairs(without(is.sets, was.sets)) do redis.call('SADD', p .. 'set:' .. set, id) end
  for _, word in ipairs(without(is.words, was.words)) do
    redis.call('SADD', p .. 'word:' .. word, id)
    if redis.call('ZADD', p .. 'words', 0, word) == 1 then suffixes(word, 'ZADD') end
  end
end

local count = 0
for _, text in ipairs(ARGV) do
  local lot = cjson.decode(text)
  local key = p .. 'lot:' .. lot.id
  local old = redis.call('HMGET', key, 'mark', 'places')
  if lot.version > 0 then put_stock(p, lot.product, lot.version, lot.available) end
  if not old[1] or tonumber(old[1]) < lot.mark then
    local is = cjson.decode(lot.places)
    if old[2] ~= lot.places then
      local was = old[2] and cjson.decode(old[2]) or {scopes = {}, sets = {}, words = {}}
      leave(lot.id, was, is, lot.scores)
      enter(lot.id, was, is)
    end
    for _, scope in ipairs(is.scopes) do
      for order, score in pairs(lot.scores) do
        redis.call('ZADD', p .. 'order:' .. scope .. ':' .. order, score, lot.id)
      end
    end
    redis.call('HSET', key, 'mark', string.format('%d', lot.mark), 'row', lot.row, 'places', lot.places,
      'product', lot.product)
    count = count + 1
  end
end
return count
"""
)

# ARGV: product, version, available.
STOCK = _STOCK + "put_stock(KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])) return 1"

# ARGV: JSON of an index.Search; the name of its result without the page; RESULT_MS; MAX_WORDS_FOUND.
# {1 if the catalogue is complete, how many match, then the row and the stock of each lot of the page}.
FIND = """
local p, query, name, result_ms, most = KEYS[1], cjson.decode(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]

local function words_like(word)
  local last = '[' .. word .. '\\255'
  local found, known = redis.call('ZRANGEBYLEX', p .. 'words', '[' .. word, last, 'LIMIT', 0, most), {}
  for _, each in ipairs(found) do known[each] = true end
  if #word >= 3 then
    for _, entry in ipairs(redis.call('ZRANGEBYLEX', p .. 'suffixes', '[' .. word, last, 'LIMIT', 0, most)) do
      local each = string.match(entry, '%z(.*)$')
      if not known[each] then
        known[each] = true
        found[#found + 1] = each
      end
    end
  end
  return found
end

local function lots_like(word)
  local keys = {}
  for _, each in ipairs(words_like(word)) do keys[#keys + 1] = p .. 'word:' .. each end
  if #keys < 2 then return keys[1] end
  local union = p .. 'union:' .. word
  if redis.call('EXISTS', union) == 0 then
    redis.call('SUNIONSTORE', union, unpack(keys))
    redis.call('PEXPIRE', union, result_ms)
  end
  return union
end

local function keys_of_filters()
  local keys = {}
  for _, set in ipairs(query.sets) do keys[#keys + 1] = p .. 'set:' .. set end
  for _, word in ipairs(query.words) do
    local key = lots_like(word)
    if not key then return nil end
    keys[#keys + 1] = key
  end
  return keys
end

local function sorted_set()
  local scopes = {}
  for _, scope in ipairs(query.scopes) do
    local key = p .. 'order:' .. scope .. ':' .. query.order
    if redis.call('EXISTS', key) == 1 then scopes[#scopes + 1] = key end
  end
  if #scopes == 0 then return nil end
  if #scopes == 1 and #query.sets == 0 and #query.words == 0 then return scopes[1] end
  local result = p .. 'found:' .. name
  if redis.call('EXISTS', result) == 1 then return result end
  local filters = keys_of_filters()
  if not filters then return nil end
  if #scopes > 1 then
    redis.call('ZUNIONSTORE', result, #scopes, unpack(scopes))
    scopes = {result}
  end
  if #filters > 0 then
    local weights = {1}
    for i = 1, #filters do weights[i + 1] = 0 end
    local arguments = {scopes[1], unpack(filters)}
    arguments[#arguments + 1] = 'WEIGHTS'
    for _, weight in ipairs(weights) do arguments[#arguments + 1] = weight end
    redis.call('ZINTERSTORE', result, #filters + 1, unpack(arguments))
  end
  redis.call('PEXPIRE', result, result_ms)
  return result
end

-- The scores descend, and the ids of one score ascend.
local function backwards(key)
  local ids, rank = {}, query.skip
  while #ids < query.limit do
    local score = redis.call('ZREVRANGE', key, rank, rank, 'WITHSCORES')[2]
    if not score then break end
    local above = redis.call('ZCOUNT', key, '(' .. score, '+inf')
    local first = redis.call('ZCOUNT', key, '-inf', '(' .. score) + rank - above
    local equal = redis.call('ZCOUNT', key, score, score) - (rank - above)
    local count = math.min(equal, query.limit - #ids)
    for _, id in ipairs(redis.call('ZRANGE', key, first, first + count - 1)) do ids[#ids + 1] = id end
    rank = rank + count
  end
  return ids
end

local answer = {redis.call('HGET', p .. 'marker', 'complete') == '1' and 1 or 0, 0}
local key = sorted_set()
if not key then return answer end
answer[2] = redis.call('ZCARD', key)
local ids = query.descending and backwards(key) or redis.call('ZRANGE', key, query.skip, query.skip + query.limit - 1)
for _, id in ipairs(ids) do
  local lot = redis.call('HMGET', p .. 'lot:' .. id, 'row', 'product')
  if lot[1] then
    answer[#answer + 1] = lot[1]
    answer[#answer + 1] = lot[2] ~= '' and redis.call('HGET', p .. 'stock', lot[2]) or ''
  end
end
return answer
"""

# A user's set exists from the user's first look on. Its member "" has the score 1 once the set has all that the log had
# at that look; until then 0. What is published meanwhile is noted, because the set exists.
# ARGV: user, skip, limit, seconds kept. {} without an epoch; {epoch} if the set is to be filled;
# {epoch, how many, then the ids of the page}.
OWN = """
local epoch = redis.call('HGET', KEYS[1] .. 'marker', 'epoch')
if not epoch then return {} end
local key = KEYS[1] .. 'own:' .. epoch .. ':' .. ARGV[1]
if redis.call('ZSCORE', key, '') ~= '1' then
  redis.call('ZADD', key, 'NX', 0, '')
  redis.call('EXPIRE', key, ARGV[4])
  return {epoch}
end
if redis.call('TTL', key) < ARGV[4] / 2 then redis.call('EXPIRE', key, ARGV[4]) end
local count = redis.call('ZCARD', key) - 1
local last = math.min(ARGV[2] + ARGV[3], count) - 1
local ids = last < tonumber(ARGV[2]) and {} or redis.call('ZREVRANGE', key, ARGV[2], last)
return {epoch, count, unpack(ids)}
"""

# ARGV: epoch, user, then the time and the id of each auction. What was noted meanwhile stays.
OWN_FILLED = """
local key = KEYS[1] .. 'own:' .. ARGV[1] .. ':' .. ARGV[2]
if redis.call('EXISTS', key) == 0 then return 0 end
for i = 3, #ARGV, 2 do redis.call('ZADD', key, 'GT', ARGV[i], ARGV[i + 1]) end
redis.call('ZADD', key, 1, '')
return 1
"""

# ARGV: an epoch, and a field of the marker to set if the epoch is still that.
MARK = """
if (redis.call('HGET', KEYS[1] .. 'marker', 'epoch') or '') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1] .. 'marker', ARGV[2], '1')
return 1
"""

# ARGV: epoch, then user, time and auction of each act. Only sets that exist are kept.
NOTE = """
for i = 2, #ARGV, 3 do
  local key = KEYS[1] .. 'own:' .. ARGV[1] .. ':' .. ARGV[i]
  if redis.call('EXISTS', key) == 1 then redis.call('ZADD', key, 'GT', ARGV[i + 1], ARGV[i + 2]) end
end
return 1
"""
