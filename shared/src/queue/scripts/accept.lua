-- accept: makes a group of deliveries durable in one atomic step: claims, ledger entry, jobs. record.lua stands before this text.
--
-- KEYS 1 ledger · 2 active · 3 scheduled · 4 record prefix · 5 answers · 6 dead · 7 letter prefix · 8 stock task data · 9… one claim per event
-- ARGV 1 call · 2 claim seconds · 3 answer seconds · 4 wake channel, then for each event:
--      repeated fact · accepted fact · kind bit · event id · number of rows · one job key per row · origin,
--      and where the origin is not empty: its id · a further fact · letter id · letter
-- Answer: one digit per event: 0 duplicate, 1 new, 2 gone (what it was to be made from has been taken by somebody else)
local ledger, active, scheduled, records, answers_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local dead, letters, stock_data = KEYS[6], KEYS[7], KEYS[8]
local call, claim_seconds, answer_seconds, wake = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local FIRST_CLAIM = 9
local DUPLICATE, NEW, GONE = '0', '1', '2'
local LETTER, TASK = 'letter', 'task'

-- The same call again, because its answer was lost: answer as before, change nothing.
local before = redis.call('GET', answers_key)
if before and string.sub(before, 1, #call + 1) == call .. ':' then
  return string.sub(before, #call + 2)
end

local function is_gone(event)
  if event.origin == LETTER then return not redis.call('ZSCORE', dead, event.origin_id) end
  if event.origin == TASK then return redis.call('HEXISTS', stock_data, event.origin_id) == 0 end
  return false
end

-- First look at everything: nothing is written yet.
local claims, is_claimed = redis.call('MGET', unpack(KEYS, FIRST_CLAIM)), {}
local answers, fresh, taken, facts, jobs = {}, {}, {}, {}, {}
local function add_fact(kind, fact)
  facts[#facts + 1] = kind
  facts[#facts + 1] = fact
end

local at = 5
for i = 1, #KEYS - FIRST_CLAIM + 1 do
  local repeated, accepted, rows = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 4])
  local event = {
    claim = KEYS[FIRST_CLAIM + i - 1], mine = call .. ':' .. i, kinds = ARGV[at + 2], id = ARGV[at + 3],
    first = at + 5, last = at + 4 + rows, origin = ARGV[at + 5 + rows],
  }
  at = at + 6 + rows
  if event.origin ~= '' then
    event.origin_id, event.note, event.letter_id, event.letter = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
    at = at + 4
  end

  if event.origin ~= '' and is_gone(event) then
    answers[i] = GONE
  elseif not claims[i] and not is_claimed[event.claim] then
    answers[i] = NEW
    is_claimed[event.claim] = true
    fresh[#fresh + 1] = event
    for row = event.first, event.last do jobs[#jobs + 1] = ARGV[row] end
    add_fact('a', accepted)
    if event.origin ~= '' then
      taken[#taken + 1] = event
      if event.note ~= '' then add_fact('j', event.note) end
    end
  elseif claims[i] == event.mine then
    -- This very call was carried out before, late, after a newer one had replaced its answer.
    answers[i] = NEW
  else
    answers[i] = DUPLICATE
    if event.origin ~= '' then
      taken[#taken + 1] = event
    else
      add_fact('d', repeated)
    end
  end
end

local texts, ready = {}, {}
for i, text in ipairs(read_records(records, jobs)) do texts[jobs[i]] = text end

-- One job per row: makes it, or lets the row's job cover this event too.
local function enqueue(job, event, seq, now)
  local text = texts[job]
  if not text then
    texts[job] = 'q\n' .. seq .. ' ' .. event.kinds .. ' ' .. event.id .. ' ' .. now .. ' 0 0 -'
    ready[#ready + 1] = job
    return
  end
  local state, work, news = string.match(text, '^([^\n]*)\n([^\n]*)\n?(.*)$')
  if not state then
    -- Not a record of ours: it will be buried with its bytes, and its letter answers for this event too.
    texts[job] = 'q\n' .. cover_more((string.gsub(text, '\n', ' ')), seq, event.kinds, event.id)
  elseif string.sub(state, 1, 1) == 'r' then
    news = news == '' and seq .. ' ' .. event.kinds .. ' ' .. event.id .. ' ' .. now or cover_more(news, seq, event.kinds, event.id)
    texts[job] = state .. '\n' .. work .. '\n' .. news
  else
    -- A wait after a failure of the row itself ends with the news; a held one (an outage, a crash) does not.
    if state == 'w' then
      state = 'q'
      redis.call('ZREM', scheduled, job)
      ready[#ready + 1] = job
    end
    texts[job] = state .. '\n' .. cover_more(work, seq, event.kinds, event.id)
  end
end

local function remove_origin(event)
  if event.origin == LETTER then
    redis.call('ZREM', dead, event.origin_id)
    redis.call('DECRBY', letters .. ':bytes', redis.call('STRLEN', letters .. ':' .. event.origin_id))
    redis.call('DEL', letters .. ':' .. event.origin_id)
  else
    redis.call('HDEL', stock_data, event.origin_id)
    redis.call('ZREM', scheduled, event.origin_id)
    redis.call('DEL', records .. ':' .. event.origin_id)
  end
  if event.letter_id ~= '' then
    redis.call('ZADD', dead, 0, event.letter_id)
    redis.call('SET', letters .. ':' .. event.letter_id, event.letter)
    redis.call('INCRBY', letters .. ':bytes', #event.letter)
  end
end

-- Whatever may be refused comes before the records, and the claims come last: a claim that outlived a failed commit would make a duplicate of the
-- sender's next try, and the event would be lost.
if #facts > 0 then
  local seq = redis.call('XADD', ledger, '*', unpack(facts))
  local clock = redis.call('TIME')
  local now = clock[1] .. string.format('%03d', math.floor(clock[2] / 1000))
  for _, event in ipairs(fresh) do
    for row = event.first, event.last do enqueue(ARGV[row], event, seq, now) end
  end
end
for _, event in ipairs(taken) do remove_origin(event) end
for from = 1, #ready, MOST_VALUES do
  local to = math.min(from + MOST_VALUES - 1, #ready)
  -- Sleepers are waiting for the first job of an empty list; whoever is awake asks again anyway.
  if redis.call('RPUSH', active, unpack(ready, from, to)) == to - from + 1 then redis.call('PUBLISH', wake, '') end
end
local changed = {}
for job, text in pairs(texts) do
  if text then
    changed[#changed + 1] = records .. ':' .. job
    changed[#changed + 1] = text
  end
end
call_with_all(changed, 'MSET')
for _, event in ipairs(fresh) do redis.call('SET', event.claim, event.mine, 'EX', claim_seconds) end
local answer = table.concat(answers)
redis.call('SET', answers_key, call .. ':' .. answer, 'EX', answer_seconds)
return answer
