-- settle: ends attempts: each job moves on and its fact is written, in one atomic step.
--
-- KEYS 1 ledger · 2 active · 3 scheduled · 4 leases · 5 record prefix · 6 answers · 7 dead · 8 letter prefix
-- ARGV 1 call · 2 answer seconds · 3 wake channel · 4 number of endings, then for each ending:
--      job key · token · ending · '1' if it holds only for an expired lease · delay in milliseconds · fact (may be empty) · letter id · letter
-- Endings: done · retry · hold · bury · return (to the front, untouched) · crash
-- Answer: one digit per ending: 1 recorded, 0 the lease was lost and nothing was changed
local ledger, active, scheduled, leases, records = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local answers_key, dead, letters = KEYS[6], KEYS[7], KEYS[8]
local call, answer_seconds, wake = ARGV[1], ARGV[2], ARGV[3]

-- The same call again, because its answer was lost: answer as before, change nothing.
local before = redis.call('GET', answers_key)
if before and string.sub(before, 1, #call + 1) == call .. ':' then
  return string.sub(before, #call + 2)
end

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local answers, endings, facts, released, back, front = {}, {}, {}, {}, {}, {}

local function has_expired(job)
  local expiry = redis.call('ZSCORE', leases, job)
  return not expiry or tonumber(expiry) <= now
end

-- First look at everything and write the facts: if Redis refuses that (out of memory), nothing has been changed.
for i = 1, tonumber(ARGV[4]) do
  local at = 5 + (i - 1) * 8
  local job = ARGV[at]
  local old = redis.call('HMGET', records .. ':' .. job, 's', 't', 'd', 'dk', 'de', 'dw', 'k', 'a', 'x', 'f')
  local is_held = old[1] == 'r' and old[2] == ARGV[at + 1] and (ARGV[at + 3] ~= '1' or has_expired(job))
  answers[i] = is_held and '1' or '0'
  if is_held then
    endings[#endings + 1] = { job = job, ending = ARGV[at + 2], delay = tonumber(ARGV[at + 4]), letter_id = ARGV[at + 6], letter = ARGV[at + 7], old = old }
    released[#released + 1] = job
    if ARGV[at + 5] ~= '' then
      facts[#facts + 1] = 'j'
      facts[#facts + 1] = ARGV[at + 5]
    end
  end
end
if #facts > 0 then redis.call('XADD', ledger, '*', unpack(facts)) end

-- The record begins anew with the events that came while the job ran; without any it is gone.
local function begin_anew(record, job, old)
  redis.call('DEL', record)
  if old[3] then
    redis.call('HSET', record, 's', 'q', 'c', old[3], 'k', old[4], 'e', old[5], 'w', old[6])
    back[#back + 1] = job
  end
end

-- The record lives on and covers the events that came meanwhile too.
local function live_on(record, old, state, ...)
  redis.call('HSET', record, 's', state, ...)
  if old[3] then
    redis.call('HSET', record, 'c', old[3], 'k', bit.bor(tonumber(old[7]) or 0, tonumber(old[4]) or 0), 'e', old[5])
  end
  redis.call('HDEL', record, 't', 'o', 'b', 'd', 'dk', 'de', 'dw')
end

for _, it in ipairs(endings) do
  local record, old, ending = records .. ':' .. it.job, it.old, it.ending
  if ending == 'done' then
    begin_anew(record, it.job, old)
  elseif ending == 'bury' then
    redis.call('ZADD', dead, 0, it.letter_id)
    redis.call('SET', letters .. ':' .. it.letter_id, it.letter)
    begin_anew(record, it.job, old)
  elseif ending == 'retry' then
    local state = old[3] and 'q' or 'w'
    live_on(record, old, state, 'a', (tonumber(old[8]) or 0) + 1, 'x', 0, 'h', 0, 'f', old[10] or now)
    if old[3] then back[#back + 1] = it.job else redis.call('ZADD', scheduled, now + it.delay, it.job) end
  elseif ending == 'hold' then
    live_on(record, old, 'w', 'x', 0, 'h', 1)
    redis.call('ZADD', scheduled, now + it.delay, it.job)
  elseif ending == 'crash' then
    live_on(record, old, 'w', 'x', (tonumber(old[9]) or 0) + 1, 'h', 1)
    redis.call('ZADD', scheduled, now + it.delay, it.job)
  else
    live_on(record, old, 'q')
    front[#front + 1] = it.job
  end
end

if #released > 0 then redis.call('ZREM', leases, unpack(released)) end
local length = 0
if #front > 0 then length = redis.call('LPUSH', active, unpack(front)) end
if #back > 0 then length = redis.call('RPUSH', active, unpack(back)) end
if length > 0 and length == #front + #back then redis.call('PUBLISH', wake, '') end
local answer = table.concat(answers)
redis.call('SET', answers_key, call .. ':' .. answer, 'EX', answer_seconds)
return answer
