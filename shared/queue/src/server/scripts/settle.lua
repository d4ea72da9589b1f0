-- settle: ends attempts: each job moves on and its fact is written, in one atomic step.
-- Prepended: clock.lua, record.lua, lanes.lua, held.lua, letter.lua and ledger.lua.
--
-- KEYS 1 ledger · 2 active · 3 scheduled · 4 leases · 5 records · 6 answers · 7 dead · 8 letter prefix · 9 suspects · 10 waits ·
--      11 base of the gates · 12 life
-- ARGV 1 call · 2 answer seconds · 3 wake channel · 4 number of endings n, then n job keys, then for each ending:
--      token · fact (may be empty) · ending, and where that is not `done`:
--      '1' if it holds only for an expired lease · delay in milliseconds · target that is to blame (empty: none) · letter id · letter
-- Endings: done · retry · hold · bury · return (to the front, untouched; see lanes.lua) · crash
-- Answer: one digit per ending: 1 recorded, 0 the lease was lost and nothing was changed
local ledger, active, scheduled, leases, records = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local answers_key, dead, letters, suspects, waits = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local call, answer_seconds, wake, number = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

-- The same call again, because its answer was lost: answer as before, change nothing.
local before = redis.call('GET', answers_key)
if before and string.sub(before, 1, #call + 1) == call .. ':' then
  return string.sub(before, #call + 2)
end

local answers, endings, facts, released = {}, {}, {}, {}
local texts = read_records(records, { unpack(ARGV, 5, 4 + number) })

local function has_expired(job)
  local score = redis.call('ZSCORE', leases, job)
  return not score or -tonumber(score) <= now
end

-- First look at everything and write the facts: if Redis refuses that (out of memory), nothing has been changed.
local at = 5 + number
for i = 1, number do
  local job, token, fact, it = ARGV[4 + i], ARGV[at], ARGV[at + 1], { ending = ARGV[at + 2] }
  at = at + 3
  local only_expired = false
  if it.ending ~= 'done' then
    only_expired, it.delay, it.blamed = ARGV[at] == '1', tonumber(ARGV[at + 1]), ARGV[at + 2] ~= '' and ' ' .. ARGV[at + 2] or ''
    it.letter_id, it.letter = ARGV[at + 3], ARGV[at + 4]
    at = at + 5
  end
  local is_held = is_held_by(texts[i], token) and not (only_expired and not has_expired(job))
  answers[i] = is_held and '1' or '0'
  if is_held then
    -- Of two endings with one token the first counts.
    it.job, it.text, texts[i] = job, texts[i], false
    endings[#endings + 1] = it
    released[#released + 1] = job
    if fact ~= '' then
      facts[#facts + 1] = 'j'
      facts[#facts + 1] = fact
    end
  end
end
if #facts > 0 then add_entry(ledger, KEYS[12], facts) end

local gone, written, back, front, crashed = {}, {}, {}, {}, {}
local function write(job, text)
  written[#written + 1] = job
  written[#written + 1] = text
end

-- The record begins anew with the events that came while the job ran; without any it is gone.
local function begin_anew(job, news)
  if news == '' then
    gone[#gone + 1] = job
  else
    write(job, 'q\n' .. news .. ' 0 0 -')
    back[#back + 1] = job
  end
end

-- The record lives on and covers the events that came meanwhile too. `change` gets the attempts, the crashes and the start of the failures.
local function live_on(it, work, news, state, change)
  local what, attempts, crashes, failing = string.match(work, '^(.*) (%d+) (%d+) (%S+)$')
  if what then
    attempts, crashes, failing = change(tonumber(attempts), tonumber(crashes), failing)
    work = what .. ' ' .. attempts .. ' ' .. crashes .. ' ' .. failing
    if news ~= '' then work = cover_more(work, string.match(news, '^(%S+) (%d+) (%S+)')) end
  end
  write(it.job, state .. '\n' .. work)
end

local function wait(it)
  redis.call('ZADD', scheduled, now + it.delay, it.job)
  redis.call('ZADD', waits, now, it.job)
end

for _, it in ipairs(endings) do
  local work, news = string.match(it.text, '^[^\n]*\n([^\n]*)\n?(.*)$')
  if it.ending == 'done' then
    begin_anew(it.job, news)
  elseif it.ending == 'bury' then
    keep_letter(dead, letters, it.letter_id, it.job, it.letter)
    begin_anew(it.job, news)
  elseif it.ending == 'retry' then
    local is_new = news ~= ''
    live_on(it, work, news, is_new and 'q' or 'w' .. it.blamed, function(attempts, _, failing)
      return attempts + 1, 0, failing == '-' and string.format('%.0f', now) or failing
    end)
    if is_new then back[#back + 1] = it.job else wait(it) end
  elseif it.ending == 'hold' then
    live_on(it, work, news, 'w held' .. it.blamed, function(attempts, _, failing) return attempts, 0, failing end)
    wait(it)
  elseif it.ending == 'crash' then
    live_on(it, work, news, 'w held', function(attempts, crashes, failing) return attempts, crashes + 1, failing end)
    wait(it)
  else
    live_on(it, work, news, 'q', function(attempts, crashes, failing) return attempts, crashes, failing end)
    local list = has_crashed(work) and crashed or front
    list[#list + 1] = it.job
  end
end

local done = {}
for _, it in ipairs(endings) do
  if it.ending == 'done' then done[#done + 1] = it.job end
end
local is_released = release_held(KEYS[11], done, lane_of)

call_with_all(gone, 'HDEL', records)
call_with_all(written, 'HSET', records)
if #released > 0 then redis.call('ZREM', leases, unpack(released)) end
local length = 0
if #front > 0 then length = redis.call('LPUSH', active .. ':front', unpack(front)) end
if #back > 0 then length = length + redis.call('RPUSH', active, unpack(back)) end
if #crashed > 0 then redis.call('LPUSH', suspects, unpack(crashed)) end
if is_released or #crashed > 0 or length > 0 and length == #front + #back then redis.call('PUBLISH', wake, '') end
local answer = table.concat(answers)
redis.call('SET', answers_key, call .. ':' .. answer, 'EX', answer_seconds)
return answer
