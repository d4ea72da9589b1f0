-- accept: makes a group of deliveries durable in one atomic step: claims, ledger entry, jobs.
--
-- KEYS 1 ledger · 2 active · 3 scheduled · 4 record prefix · 5 answers · 6 dead · 7 letter prefix · 8 stock task data · 9… one claim per event
-- ARGV 1 call · 2 claim seconds · 3 answer seconds · 4 wake channel · 5 number of events, then for each event:
--      repeated fact · accepted fact · kind bit · event id · number of rows · one job key per row · origin,
--      and where the origin is not empty: its id · a further fact · letter id · letter
-- Answer: one digit per event: 0 duplicate, 1 new, 2 gone (what it was to be made from has been taken by somebody else)
local ledger, active, scheduled, records, answers_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local dead, letters, stock_data = KEYS[6], KEYS[7], KEYS[8]
local call, claim_seconds, answer_seconds, wake = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
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

local answers, fresh, taken, claimed, facts = {}, {}, {}, {}, {}
local at = 6
for i = 1, tonumber(ARGV[5]) do
  local event = { kind = tonumber(ARGV[at + 2]), id = ARGV[at + 3], first = at + 5, rows = tonumber(ARGV[at + 4]) }
  local repeated, accepted = ARGV[at], ARGV[at + 1]
  at = at + 5 + event.rows
  event.origin = ARGV[at]
  at = at + 1
  if event.origin ~= '' then
    event.origin_id, event.note, event.letter_id, event.letter = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
    at = at + 4
  end

  local claim, mine = KEYS[8 + i], call .. ':' .. i
  if event.origin ~= '' and is_gone(event) then
    answers[i] = GONE
  elseif redis.call('SET', claim, mine, 'NX', 'EX', claim_seconds) then
    answers[i] = NEW
    claimed[#claimed + 1] = claim
    fresh[#fresh + 1] = event
    facts[#facts + 1] = 'a'
    facts[#facts + 1] = accepted
    if event.origin ~= '' then
      taken[#taken + 1] = event
      if event.note ~= '' then
        facts[#facts + 1] = 'j'
        facts[#facts + 1] = event.note
      end
    end
  elseif redis.call('GET', claim) == mine then
    -- This very call was carried out before, late, after a newer one had replaced its answer.
    answers[i] = NEW
  else
    answers[i] = DUPLICATE
    if event.origin ~= '' then
      taken[#taken + 1] = event
    else
      facts[#facts + 1] = 'd'
      facts[#facts + 1] = repeated
    end
  end
end

local ready = {}

-- One job per row: makes it, or lets the row's job cover this event too.
local function enqueue(job, event, seq, now)
  local record = records .. ':' .. job
  local old = redis.call('HMGET', record, 's', 'k', 'h', 'd', 'dk')
  local state = old[1]
  if not state then
    redis.call('HSET', record, 's', 'q', 'c', seq, 'k', event.kind, 'e', event.id, 'w', now)
    ready[#ready + 1] = job
  elseif state == 'r' then
    redis.call('HSET', record, 'd', seq, 'dk', bit.bor(tonumber(old[5]) or 0, event.kind), 'de', event.id)
    if not old[4] then redis.call('HSET', record, 'dw', now) end
  else
    redis.call('HSET', record, 'c', seq, 'k', bit.bor(tonumber(old[2]) or 0, event.kind), 'e', event.id)
    -- A wait after a failure of the row itself ends with the news; a held one (an outage, a crash) does not.
    if state == 'w' and old[3] ~= '1' then
      redis.call('HSET', record, 's', 'q')
      redis.call('ZREM', scheduled, job)
      ready[#ready + 1] = job
    end
  end
end

local function remove_origin(event)
  if event.origin == LETTER then
    redis.call('ZREM', dead, event.origin_id)
    redis.call('DEL', letters .. ':' .. event.origin_id)
  else
    redis.call('HDEL', stock_data, event.origin_id)
    redis.call('ZREM', scheduled, event.origin_id)
    redis.call('DEL', records .. ':' .. event.origin_id)
  end
  if event.letter_id ~= '' then
    redis.call('ZADD', dead, 0, event.letter_id)
    redis.call('SET', letters .. ':' .. event.letter_id, event.letter)
  end
end

local function commit()
  if #facts > 0 then
    local seq = redis.call('XADD', ledger, '*', unpack(facts))
    local clock = redis.call('TIME')
    local now = clock[1] .. string.format('%03d', math.floor(clock[2] / 1000))
    for _, event in ipairs(fresh) do
      for row = event.first, event.first + event.rows - 1 do enqueue(ARGV[row], event, seq, now) end
    end
  end
  for _, event in ipairs(taken) do remove_origin(event) end
  for from = 1, #ready, 200 do
    local to = math.min(from + 199, #ready)
    -- Sleepers are waiting for the first job of an empty list; whoever is awake asks again anyway.
    if redis.call('RPUSH', active, unpack(ready, from, to)) == to - from + 1 then redis.call('PUBLISH', wake, '') end
  end
end

-- A claim must never outlive a failed commit: the sender's next try would be taken for a duplicate and the event would be lost.
local committed, failure = pcall(commit)
if not committed then
  for _, claim in ipairs(claimed) do redis.call('DEL', claim) end
  return redis.error_reply(type(failure) == 'table' and failure.err or tostring(failure))
end
local answer = table.concat(answers)
redis.call('SET', answers_key, call .. ':' .. answer, 'EX', answer_seconds)
return answer
