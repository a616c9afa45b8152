"""The catalogue's Lua scripts. KEYS[1] of each is the prefix of all keys:

    marker              hash: epoch, complete ("1"), server, handed_over; see `publishing.catalogue_keeper`
    lot:<id>            hash: mark, row (the JSON of a list's item), places, scores, product
    order:<scope>:<o>   sorted set: the ids of a scope by the order o
    set:<filter>        set: the ids that pass a filter
    word:<word>         set: the ids with this word in their title
    words               sorted set without scores: the words in use
    stock               hash: product -> "<version> <available>"
    own:<epoch>:<user>  sorted set: the auctions that a user acted in, by the time of the last act; see `OWN`
    found:…, union:…    what a search has found, or a part of it, for RESULT_MS

No key is ever half written, because each script runs alone.
"""

RESULT_MS = 1_000
MAX_WORDS_FOUND = 50  # that begin with the last word of a search
MAX_LOTS_SEARCHED = 25_000  # if each filter passes more: the first ones of the order
MAX_PHRASES_LOOKED_AT = 5_000  # lots with the words of a phrase; of more, the first ones of the order

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

local function leave(id, was, is, scores)
  for _, scope in ipairs(without(was.scopes, is.scopes)) do
    for order in pairs(scores) do redis.call('ZREM', p .. 'order:' .. scope .. ':' .. order, id) end
  end
  for _, set in ipairs(without(was.sets, is.sets)) do redis.call('SREM', p .. 'set:' .. set, id) end
  for _, word in ipairs(without(was.words, is.words)) do
    redis.call('SREM', p .. 'word:' .. word, id)
    if redis.call('EXISTS', p .. 'word:' .. word) == 0 then
      redis.call('ZREM', p .. 'words', word)
    end
  end
end

local function enter(id, was, is)
  for _, set in ipairs(without(is.sets, was.sets)) do redis.call('SADD', p .. 'set:' .. set, id) end
  for _, word in ipairs(without(is.words, was.words)) do
    redis.call('ZADD', p .. 'words', 0, word)
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

# ARGV: JSON of an index.Search; the name of its result without the page; RESULT_MS; MAX_WORDS_FOUND; MAX_LOTS_SEARCHED;
# MAX_PHRASES_LOOKED_AT.
# {1 if the catalogue is complete, how many match, a JSON array of the page's rows, the stock of each as far as one is
# reported, by lines; the score and the id of the last one if others follow}.
FIND = """
local p, query, name, result_ms, most_words = KEYS[1], cjson.decode(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local most, most_phrases = tonumber(ARGV[5]), tonumber(ARGV[6])

-- The set of the lots with a word that begins so.
local function lots_like(word)
  local keys, lots = {}, 0
  local last = '[' .. word .. '\\255'
  for _, each in ipairs(redis.call('ZRANGEBYLEX', p .. 'words', '[' .. word, last, 'LIMIT', 0, most_words)) do
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

-- The sorted set of the lots whose score by an order is in a range.
local function lots_within(order, least, greatest)
  local key = p .. 'found:' .. order .. ':' .. least .. ':' .. greatest
  if redis.call('EXISTS', key) == 0 then
    redis.call('ZRANGESTORE', key, p .. 'order:every:' .. order, least, greatest, 'BYSCORE')
    redis.call('PEXPIRE', key, result_ms)
  end
  return key
end

-- The keys that the result is intersected with, and how many lots the smallest has; nil if nothing passes.
local function filters_of_query()
  local keys, fewest = {}, most + 1
  for _, set in ipairs(query.sets) do keys[#keys + 1] = p .. 'set:' .. set end
  for _, word in ipairs(query.words) do keys[#keys + 1] = p .. 'word:' .. word end
  if query.prefix ~= '' then
    local key = lots_like(query.prefix)
    if not key then return nil end
    keys[#keys + 1] = key
  end
  for _, key in ipairs(keys) do fewest = math.min(fewest, redis.call('SCARD', key)) end
  for _, range in ipairs(query.ranges) do
    local key = lots_within(range[1], range[2], range[3])
    fewest = math.min(fewest, redis.call('ZCARD', key))
    keys[#keys + 1] = key
  end
  if fewest == 0 then return nil end
  return keys, fewest
end

-- Leave the lots in whose title the words of each phrase follow one another.
local function keep_phrases(result)
  if redis.call('ZCARD', result) > most_phrases then
    if query.descending then
      redis.call('ZREMRANGEBYRANK', result, 0, -most_phrases - 1)
    else
      redis.call('ZREMRANGEBYRANK', result, most_phrases, -1)
    end
  end
  for _, id in ipairs(redis.call('ZRANGE', result, 0, -1)) do
    local places = redis.call('HGET', p .. 'lot:' .. id, 'places') or ''
    local _, from = string.find(places, '"words":[', 1, true)
    for _, phrase in ipairs(query.phrases) do
      if not (from and string.find(places, phrase, from, true)) then
        redis.call('ZREM', result, id)
        break
      end
    end
  end
end

-- The sorted set of the scopes; no more than the first lots of the order if no filter passes fewer.
local function bounded(scopes, fewest, result)
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
  local result = p .. 'found:' .. name
  if redis.call('EXISTS', result) == 1 then return result end
  local filters, fewest = filters_of_query()
  if not filters then return nil end
  if #scopes == 1 and #filters == 0 then return scopes[1] end
  -- A count alone makes no set.
  if query.limit == 0 and #scopes == 1 and #query.phrases == 0 and fewest <= most then
    return nil, redis.call('ZINTERCARD', #filters + 1, scopes[1], unpack(filters))
  end
  local base = bounded(scopes, fewest, result)
  if #filters > 0 then
    local arguments = {base, unpack(filters)}
    local count = #arguments
    arguments[count + 1], arguments[count + 2] = 'WEIGHTS', 1
    for i = 1, #filters do arguments[count + 2 + i] = 0 end
    redis.call('ZINTERSTORE', result, count, unpack(arguments))
  end
  if #query.phrases > 0 then keep_phrases(result) end
  redis.call('PEXPIRE', result, result_ms)
  return result
end

-- The rank of the page's first lot. A mark that stands after the last lot of the page before finds it, even if that lot has gone.
local function first_rank(key)
  if #query.after == 0 then return query.skip end
  local score, mark = query.after[1], query.after[2] .. '~'
  redis.call('ZADD', key, score, mark)
  local rank = redis.call('ZRANK', key, mark)
  redis.call('ZREM', key, mark)
  if not query.descending then return rank end
  return redis.call('ZCOUNT', key, '(' .. score, '+inf') + rank - redis.call('ZCOUNT', key, '-inf', '(' .. score)
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

local answer = {redis.call('HGET', p .. 'marker', 'complete') == '1' and 1 or 0, 0, '[]', '', '', ''}
local key, count = sorted_set()
answer[2] = count or 0
if not key then return answer end
answer[2] = redis.call('ZCARD', key)
if query.limit == 0 then return answer end -- a range of ranks would be that of all
local rows, stocks = {}, {}
query.skip = first_rank(key)
local ids = query.descending and backwards(key) or redis.call('ZRANGE', key, query.skip, query.skip + query.limit - 1)
for _, id in ipairs(ids) do
  local lot = redis.call('HMGET', p .. 'lot:' .. id, 'row', 'product')
  if lot[1] then
    rows[#rows + 1] = lot[1]
    stocks[#stocks + 1] = lot[2] ~= '' and redis.call('HGET', p .. 'stock', lot[2]) or ''
  end
end
answer[3], answer[4] = '[' .. table.concat(rows, ',') .. ']', table.concat(stocks, '\\n')
if #ids > 0 and query.skip + #ids < answer[2] then answer[5], answer[6] = redis.call('ZSCORE', key, ids[#ids]), ids[#ids] end
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
