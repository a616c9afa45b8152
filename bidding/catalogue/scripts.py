"""The catalogue's Lua scripts. KEYS[1] of each is the prefix of all keys:

    marker              hash: epoch, complete ("1"), server, handed_over; see `publishing.catalogue_keeper`
    lot:<id>            hash: mark, row (the JSON of a list's item), places, scores, product
    order:<scope>:<o>   sorted set: the ids of a scope by the order o
    set:<filter>        set: the ids that pass a filter
    word:<word>         set: the ids with this word in their title
    suffixes            sorted set without scores: "<suffix>\\0<word>" for all suffixes of the words in use
    stock               hash: product -> "<version> <available>"
    own:<epoch>:<user>  sorted set: the auctions that a user acted in, by the time of the last act; see `OWN`
    found:…, union:…    what a search has found, for RESULT_MS

No key is ever half written, because each script runs alone.
"""

RESULT_MS = 1_000
MAX_WORDS_FOUND = 50  # that contain one word of a search
MAX_LOTS_SEARCHED = 25_000  # if each filter passes more: the first ones of the order

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

local function suffixes(word)
  local found = {}
  for start = 1, #word do
    local byte = string.byte(word, start)
    if byte < 128 or byte > 191 then -- where a character begins
      found[#found + 1] = string.sub(word, start) .. '\\0' .. word
    end
  end
  return found
end

local function leave(id, was, is, scores)
  for _, scope in ipairs(without(was.scopes, is.scopes)) do
    for order in pairs(scores) do redis.call('ZREM', p .. 'order:' .. scope .. ':' .. order, id) end
  end
  for _, set in ipairs(without(was.sets, is.sets)) do redis.call('SREM', p .. 'set:' .. set, id) end
  for _, word in ipairs(without(was.words, is.words)) do
    redis.call('SREM', p .. 'word:' .. word, id)
    if redis.call('EXISTS', p .. 'word:' .. word) == 0 then
      redis.call('ZREM', p .. 'suffixes', unpack(suffixes(word)))
    end
  end
end

local function enter(id, was, is)
  for _, set in ipairs(without(is.sets, was.sets)) do redis.call('SADD', p .. 'set:' .. set, id) end
  for _, word in ipairs(without(is.words, was.words)) do
    if redis.call('EXISTS', p .. 'word:' .. word) == 0 then
      for _, suffix in ipairs(suffixes(word)) do redis.call('ZADD', p .. 'suffixes', 0, suffix) end
    end
    redis.call('SADD', p .. 'word:' .. word, id)
  end
end

local count = 0
for _, text in ipairs(ARGV) do
  local lot = cjson.decode(text)
  local key = p .. 'lot:' .. lot.id
  local old = redis.call('HMGET', key, 'mark', 'places', 'scores')
  if lot.version > 0 then put_stock(p, lot.product, lot.version, lot.available) end
  if not old[1] or tonumber(old[1]) < lot.mark then
    local is = cjson.decode(lot.places)
    local scores = cjson.decode(lot.scores)
    local old_scores = {}
    if old[2] == lot.places then
      old_scores = cjson.decode(old[3])
    else
      local was = old[2] and cjson.decode(old[2]) or {scopes = {}, sets = {}, words = {}}
      leave(lot.id, was, is, scores)
      enter(lot.id, was, is)
    end
    for order, score in pairs(scores) do
      if score ~= old_scores[order] then
        for _, scope in ipairs(is.scopes) do
          redis.call('ZADD', p .. 'order:' .. scope .. ':' .. order, score, lot.id)
        end
      end
    end
    redis.call('HSET', key, 'mark', string.format('%d', lot.mark), 'row', lot.row, 'places', lot.places,
      'scores', lot.scores, 'product', lot.product)
    count = count + 1
  end
end
return count
"""
)

# ARGV: product, version, available.
STOCK = _STOCK + "put_stock(KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])) return 1"

# ARGV: JSON of an index.Search; the name of its result without the page; RESULT_MS; MAX_WORDS_FOUND; MAX_LOTS_SEARCHED.
# {1 if the catalogue is complete, how many match, a JSON array of the page's rows, the stock of each as far as one is
# reported, by lines}.
FIND = """
local p, query, name, result_ms, most_words = KEYS[1], cjson.decode(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local most = tonumber(ARGV[5])

local function words_like(word)
  local found, known = {}, {}
  local last = '[' .. word .. '\\255'
  for _, entry in ipairs(redis.call('ZRANGEBYLEX', p .. 'suffixes', '[' .. word, last, 'LIMIT', 0, most_words)) do
    local each = string.match(entry, '%z(.*)$')
    if not known[each] then
      known[each] = true
      found[#found + 1] = each
    end
  end
  return found
end

local function lots_like(word)
  local keys, lots = {}, 0
  for _, each in ipairs(words_like(word)) do
    local key = p .. 'word:' .. each
    lots = lots + redis.call('SCARD', key)
    if lots > most and #keys > 0 then break end
    keys[#keys + 1] = key
  end
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

-- The sorted set of the scopes; no more than the first lots of the order if no filter passes fewer.
local function bounded(scopes, filters, result)
  local fewest = most + 1
  for _, filter in ipairs(filters) do fewest = math.min(fewest, redis.call('SCARD', filter)) end
  for i, scope in ipairs(scopes) do
    if fewest > most and redis.call('ZCARD', scope) > most then
      scopes[i] = result .. i
      redis.call('ZRANGESTORE', scopes[i], scope, 0, most - 1, unpack(query.descending and {'REV'} or {}))
      redis.call('PEXPIRE', scopes[i], result_ms)
    end
  end
  if #scopes == 1 then return scopes[1] end
  redis.call('ZUNIONSTORE', result, #scopes, unpack(scopes))
  return result
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
  local base = bounded(scopes, filters, result)
  if #filters > 0 then
    local arguments = {base, unpack(filters)}
    local count = #arguments
    arguments[count + 1], arguments[count + 2] = 'WEIGHTS', 1
    for i = 1, #filters do arguments[count + 2 + i] = 0 end
    redis.call('ZINTERSTORE', result, count, unpack(arguments))
  end
  redis.call('PEXPIRE', result, result_ms)
  return result
end

-- The scores descend, and the ids of one score ascend.
local function backwards(key)
  local ids, rank = {}, query.skip
  local page = redis.call('ZREVRANGE', key, rank, rank + query.limit - 1, 'WITHSCORES')
  local i = 1
  while i < #page do
    local score, count = page[i + 1], 0
    while page[i + 1 + 2 * count] == score do count = count + 1 end
    if count == 1 and i > 1 and i + 2 < #page then
      ids[#ids + 1] = page[i]
    else -- lots of one score, which may go on beyond the page
      local above = redis.call('ZCOUNT', key, '(' .. score, '+inf')
      local first = redis.call('ZCOUNT', key, '-inf', '(' .. score) + rank - above
      for _, id in ipairs(redis.call('ZRANGE', key, first, first + count - 1)) do ids[#ids + 1] = id end
    end
    i, rank = i + 2 * count, rank + count
  end
  return ids
end

local answer = {redis.call('HGET', p .. 'marker', 'complete') == '1' and 1 or 0, 0, '[]', ''}
local key = sorted_set()
if not key then return answer end
answer[2] = redis.call('ZCARD', key)
local rows, stocks = {}, {}
local ids = query.descending and backwards(key) or redis.call('ZRANGE', key, query.skip, query.skip + query.limit - 1)
for _, id in ipairs(ids) do
  local lot = redis.call('HMGET', p .. 'lot:' .. id, 'row', 'product')
  if lot[1] then
    rows[#rows + 1] = lot[1]
    stocks[#stocks + 1] = lot[2] ~= '' and redis.call('HGET', p .. 'stock', lot[2]) or ''
  end
end
answer[3], answer[4] = '[' .. table.concat(rows, ',') .. ']', table.concat(stocks, '\\n')
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
