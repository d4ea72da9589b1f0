-- run_now: makes jobs that wait for their time ready by an operator's decision, and writes that down in the same step.
-- Prepended: clock.lua, record.lua, lanes.lua, held.lua and ledger.lua.
--
-- KEYS 1 active · 2 scheduled · 3 records · 4 waits · 5 suspects · 6 ledger · 7 base of the gates · 8 life
-- ARGV 1 wake channel, then for each job: its key · its fact
-- Answer: for each job the first letter of the state that it was in · 'held' if its table is held · '' if there is no such job. Only one that
--         waited (w) was changed: the same call again changes nothing more.
local active, scheduled, records, waits, suspects, ledger = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local held, jobs, facts, answer = held_lanes(KEYS[7]), {}, {}, {}
for at = 2, #ARGV, 2 do
  jobs[#jobs + 1] = ARGV[at]
  facts[#facts + 1] = ARGV[at + 1]
end

local ready, is_any = {}, false
for i, text in ipairs(read_records(records, jobs)) do
  local state = string.sub(text or '', 1, 1)
  local work = after_state(text or '')
  if (state == 'w' or state == 'q') and held[lane_of(jobs[i])] and not has_crashed(work) then state = 'held' end
  if ready[jobs[i]] then state = 'q' end -- it was named twice
  if state == 'w' then
    -- The fact first: if Redis refuses it (out of memory), this job and those behind it are as they were.
    add_entry(ledger, KEYS[8], { 'j', facts[i] })
    redis.call('HSET', records, jobs[i], 'q\n' .. work)
    -- One that crashed runs alone.
    redis.call('RPUSH', has_crashed(work) and suspects or active, jobs[i])
    redis.call('ZREM', scheduled, jobs[i])
    redis.call('ZREM', waits, jobs[i])
    ready[jobs[i]], is_any = true, true
  end
  answer[i] = state
end
if is_any then redis.call('PUBLISH', ARGV[1], '') end
return answer
