-- accept: makes a group of deliveries durable in one atomic step: claims, ledger entries, jobs.
-- Prepended: clock.lua, record.lua, letter.lua and ledger.lua.
--
-- The deliveries themselves do not pass through this script: Lua hashes every byte of every text, which cost more than all the rest. They are
-- an entry of the ledger, added right before this script in the same transaction. The next entry is made here and says what became of each:
-- without it, what was added counts for nothing.
--
-- KEYS 1 ledger · 2 active · 3 scheduled · 4 records · 5 answers · 6 dead · 7 letter prefix · 8 stock task data · 9 prefix of stock bookkeeping ·
--      10 life · 11 waits · 12… one claim per event
-- ARGV 1 call · 2 claim seconds · 3 answer seconds · 4 wake channel, then for each event:
--      kind bit, space, event id · number of rows · one job key per row · origin,
--      and where the origin is not empty: its id · a further fact · letter id · letter
-- Answer: one digit per event: 0 duplicate, 1 new, 2 gone (what it was to be made from has been taken by somebody else); then, where there is
--      something to count, how many deliveries have been answered in this life of the data, and the same of this caller's call before
local ledger, active, scheduled, records, answers_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local dead, letters, stock_data, stock_meta, life, waits = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11]
local call, claim_seconds, answer_seconds, wake = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local FIRST_CLAIM, FIRST_EVENT = 12, 5
local DUPLICATE, NEW, GONE = '0', '1', '2'
-- The receipt, which the ledger keeps: a letter per delivery.
local ACCEPTED, REPEATED, NOTHING = 'a', 'd', '-'
local LETTER, TASK = 'letter', 'task'
local FORCED = 8 -- the bit of a requested sync (job.rs, EventKinds)

-- Takes back what this call added to the ledger before its script (its fourth word is the name of the call): nobody shall read it.
local function withdraw()
  local last = redis.call('XREVRANGE', ledger, '+', '-', 'COUNT', 1)[1]
  if last and last[2][4] == call then redis.call('XDEL', ledger, last[1]) end
end

-- The same call again, because its answer was lost: answer as before, change nothing.
local before = redis.call('GET', answers_key)
if before and string.sub(before, 1, #call + 1) == call .. ':' then
  withdraw()
  return string.sub(before, #call + 2)
end

local function is_gone(origin, id)
  if origin == LETTER then return not redis.call('ZSCORE', dead, id) end
  if origin == TASK then return redis.call('HEXISTS', stock_data, id) == 0 end
  return false
end

-- First look at everything: nothing is written yet. An event is known by the place of its first argument, its origin by that of the origin.
local claims, is_claimed = redis.call('MGET', unpack(KEYS, FIRST_CLAIM)), {}
local answers, receipt, fresh, mine, jobs, taken, notes = {}, {}, {}, {}, {}, {}, {}
local was_carried_out, answered = false, 0

local at = FIRST_EVENT
for i = 1, #KEYS - FIRST_CLAIM + 1 do
  local claim, event, origin_at = KEYS[FIRST_CLAIM + i - 1], at, at + 2 + tonumber(ARGV[at + 1])
  local origin = ARGV[origin_at]
  at = origin_at + (origin == '' and 1 or 5)

  if claims[i] == call and not is_claimed[claim] then
    -- This very call was carried out before, late, after a newer one had replaced its answer.
    answers[i] = NEW
    was_carried_out, is_claimed[claim] = true, true
  elseif origin ~= '' and is_gone(origin, ARGV[origin_at + 1]) then
    answers[i], receipt[i] = GONE, NOTHING
  elseif claims[i] or is_claimed[claim] then
    answers[i], receipt[i] = DUPLICATE, origin == '' and REPEATED or NOTHING
    if origin ~= '' then taken[#taken + 1] = origin_at else answered = answered + 1 end
  else
    answers[i], receipt[i] = NEW, ACCEPTED
    answered = answered + 1
    is_claimed[claim] = true
    mine[#mine + 1] = claim
    fresh[#fresh + 1] = event
    for row = event + 2, origin_at - 1 do jobs[#jobs + 1] = ARGV[row] end
    if origin ~= '' then
      taken[#taken + 1] = origin_at
      if ARGV[origin_at + 2] ~= '' then
        notes[#notes + 1] = 'j'
        notes[#notes + 1] = ARGV[origin_at + 2]
      end
    end
  end
end
local answer = table.concat(answers)
if was_carried_out then
  withdraw()
  return answer
end

local function append(values, others)
  for _, value in ipairs(others) do values[#values + 1] = value end
  return values
end

local texts, ready, woken = {}, {}, {}
for i, text in ipairs(read_records(records, jobs)) do texts[jobs[i]] = text end

-- One job per row: makes it, or lets the row's job cover this event too.
local function enqueue(job, event, seq, moment)
  local text = texts[job]
  if not text then
    texts[job] = 'q\n' .. seq .. ' ' .. event .. ' ' .. moment .. ' 0 0 -'
    ready[#ready + 1] = job
    return
  end
  local kinds, id = string.match(event, '^(%d+) (.*)$')
  local state, work, news = string.match(text, '^([^\n]*)\n([^\n]*)\n?(.*)$')
  if not state then
    -- Not a record of ours: it will be buried with its bytes, and its letter answers for this event too.
    texts[job] = 'q\n' .. cover_more((string.gsub(text, '\n', ' ')), seq, kinds, id)
  elseif string.sub(state, 1, 1) == 'r' then
    news = news == '' and seq .. ' ' .. event .. ' ' .. moment or cover_more(news, seq, kinds, id)
    texts[job] = state .. '\n' .. work .. '\n' .. news
  else
    -- News end a wait after a failure of the row itself. A job that is held for an outage waits on, unless its sync was requested; one
    -- that crashed waits in any case, and then runs alone.
    local is_waiting, is_held = string.sub(state, 1, 1) == 'w', string.sub(state, 1, 6) == 'w held'
    if is_waiting and (not is_held or (bit.band(tonumber(kinds), FORCED) ~= 0 and not has_crashed(work))) then
      state = 'q'
      woken[#woken + 1] = job
      ready[#ready + 1] = job
    end
    texts[job] = state .. '\n' .. cover_more(work, seq, kinds, id)
  end
end

local function remove_origin(origin_at)
  local origin, id, letter_id, letter = ARGV[origin_at], ARGV[origin_at + 1], ARGV[origin_at + 3], ARGV[origin_at + 4]
  if origin == LETTER then
    -- Its replay asks for its one job.
    remove_letter(dead, letters, id, ARGV[origin_at - 1])
  else
    redis.call('HDEL', stock_data, id)
    redis.call('ZREM', scheduled, id)
    redis.call('DEL', stock_meta .. ':' .. id)
  end
  if letter_id ~= '' then keep_letter(dead, letters, letter_id, nil, letter) end
end

-- The claims come last: a claim that outlived a failed commit would make a duplicate of the sender's next try, and the event would be
-- lost. If Redis refuses anything on the way (a command that its user may not call), the receipt is taken back: the delivery counts for
-- nothing, and its next try counts once.
-- The count goes into the receipt: so whoever reads the ledger sees by it that nothing is missing between two entries.
local seq, total
local function commit()
  local count = {}
  if answered > 0 then
    total = redis.call('HINCRBY', life, 'answered', answered)
    count = { 'n', string.format('%.0f', total) }
  end
  seq = add_entry(ledger, life, append({ 'r', table.concat(receipt) }, append(count, notes)))
  local moment = string.format('%.0f', now)
  for _, event in ipairs(fresh) do
    for row = event + 2, event + 1 + tonumber(ARGV[event + 1]) do enqueue(ARGV[row], ARGV[event], seq, moment) end
  end
  local changed = {}
  for job, text in pairs(texts) do
    changed[#changed + 1] = job
    changed[#changed + 1] = text
  end
  call_with_all(changed, 'HSET', records)
  if #woken > 0 then
    redis.call('ZREM', scheduled, unpack(woken))
    redis.call('ZREM', waits, unpack(woken))
  end
  for from = 1, #ready, MOST_VALUES do
    local to = math.min(from + MOST_VALUES - 1, #ready)
    -- Sleepers are waiting for the first job of an empty list; whoever is awake asks again anyway.
    if redis.call('RPUSH', active, unpack(ready, from, to)) == to - from + 1 then redis.call('PUBLISH', wake, '') end
  end
  for _, origin_at in ipairs(taken) do remove_origin(origin_at) end
  for _, claim in ipairs(mine) do redis.call('SET', claim, call, 'EX', claim_seconds) end
end
local is_done, refused = pcall(commit)
if not is_done then
  if seq then take_back(ledger, life, seq) end
  if total then redis.pcall('HINCRBY', life, 'answered', -answered) end
  withdraw()
  return redis.error_reply(type(refused) == 'table' and refused.err or tostring(refused))
end
if total then
  local remembered = before and string.match(before, ' (%d+)') or ''
  answer = answer .. ' ' .. string.format('%.0f', total) .. ' ' .. remembered
end
redis.call('SET', answers_key, call .. ':' .. answer, 'EX', answer_seconds)
return answer
