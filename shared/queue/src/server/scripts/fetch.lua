-- fetch: takes jobs for a worker: each with a lease (it expires by the clock of Redis) and a token that only its holder knows.
-- Prepended: clock.lua, record.lua, lanes.lua, held.lua and admit.lua.
--
-- A job that crashed before runs alone: it waits in a list of its own, from which only a process that runs nothing else takes it.
--
-- KEYS 1 active · 2 scheduled · 3 leases · 4 records · 5 paused · 6 base of the gates · 7 suspects ·
--      8 waits: since when each job in `scheduled` has been waiting
-- ARGV 1 most jobs · 2 lease milliseconds · 3 call · 4 worker · 5 '1' if this call is repeated because its answer was lost ·
--      6 '1' if the process runs nothing: it takes one suspect, or nothing · 7… the gates that the jobs of this queue pass
-- Answer: now · when to look again (-1: nothing is waiting for its time) · expired leases? · stock tasks? · is the job a probe? ·
--         does a suspect wait for a process that runs nothing?, then for each job: key · record
local active, scheduled, leases, records, paused, gates = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local suspects, waits = KEYS[7], KEYS[8]
local most, lease, call, worker, repeated = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5] == '1'
local is_alone = ARGV[6] == '1'
-- Ours wait by the millisecond, tasks of stock producers by the second, in the same set: the size of the score tells them apart.
local FIRST_MILLISECOND = 100000000000

local answer = { now, -1, 0, 0, 0, 0 }
local needs = {}
for at = 7, #ARGV do needs[#needs + 1] = ARGV[at] end

local function report(job, text)
  answer[#answer + 1] = job
  answer[#answer + 1] = text
end

if repeated then
  -- What the lost answer had taken is still leased under this call; the set only holds what is running now.
  local jobs = redis.call('ZRANGE', leases, 0, 9999)
  for i, text in ipairs(read_records(records, jobs)) do
    if text and string.sub(text, 1, #call + 3) == 'r ' .. call .. ':' then report(jobs[i], text) end
  end
  if #answer > 6 then
    if has_probe_job(gates, needs, worker) then answer[5] = 1 end
    return answer
  end
end

if redis.call('EXISTS', paused) == 1 then return answer end
-- Jobs that are not admitted stay where they are: queued, or waiting although they are due.
local admission, wanted = admit(gates, needs, worker, most, leases), most
most = admission.most

-- A job that began to wait in what is the future now began before the clock went back: its time has come.
local latest_wait = redis.call('ZRANGE', waits, -1, -1, 'WITHSCORES')
if latest_wait[2] and is_ahead(tonumber(latest_wait[2])) then
  local due = {}
  for _, job in ipairs(redis.call('ZRANGEBYSCORE', waits, string.format('(%.0f', now + CORRECTION), '+inf')) do
    due[#due + 1] = string.format('%.0f', now)
    due[#due + 1] = job
  end
  call_with_all(due, 'ZADD', scheduled, 'XX')
  call_with_all(due, 'ZADD', waits)
end

local first = redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')
local waiting = first[2] ~= nil
local look_again
if waiting and tonumber(first[2]) < FIRST_MILLISECOND then
  if tonumber(first[2]) * 1000 <= now then answer[4] = 1 else look_again = tonumber(first[2]) * 1000 end
end
if waiting and not admission.is_stopped then
  local due = redis.call('ZRANGEBYSCORE', scheduled, FIRST_MILLISECOND, now, 'LIMIT', 0, 200)
  if #due > 0 then
    local queued, innocent, crashed = {}, {}, {}
    for i, text in ipairs(read_records(records, due)) do
      local work = after_state(text or '')
      queued[#queued + 1] = due[i]
      queued[#queued + 1] = 'q\n' .. work
      local list = has_crashed(work) and crashed or innocent
      list[#list + 1] = due[i]
    end
    call_with_all(queued, 'HSET', records)
    if #innocent > 0 then redis.call('RPUSH', active, unpack(innocent)) end
    if #crashed > 0 then redis.call('RPUSH', suspects, unpack(crashed)) end
    redis.call('ZREM', scheduled, unpack(due))
    redis.call('ZREM', waits, unpack(due))
  end
end

local jobs, held = {}, held_lanes(gates)
if is_alone then
  jobs = most > 0 and { redis.call('LPOP', suspects) or nil } or {}
elseif most > 0 and redis.call('LLEN', suspects) > 0 then
  -- Nothing is taken until this process runs nothing: else the suspect would wait for ever behind its neighbours.
  answer[6], most = 1, 0
elseif most > 0 then
  jobs = pop(active, admission, most, portion_of(held))
end
note_probes(gates, held, jobs, lane_of)
local taken, running, leased, is_taken = {}, {}, {}, {}
local began = ' ' .. worker .. ' ' .. string.format('%.0f %.0f', now, lease) .. '\n'
local score = score_of(now + lease)
for i, text in ipairs(read_records(records, jobs)) do
  local job, state = jobs[i], string.sub(text or '', 1, 2)
  -- A key that is running or waiting is never taken a second time, however it came into the list.
  if state ~= 'r ' and state ~= 'w ' and state ~= 'w\n' and not is_taken[job] then
    is_taken[job] = true
    local record = 'r ' .. call .. ':' .. i .. began .. after_state(text or '')
    taken[#taken + 1] = job
    running[#running + 1] = job
    running[#running + 1] = record
    report(job, record)
  end
end
call_with_all(running, 'HSET', records)
-- Backwards: rows mostly come in ascending order, and of equal scores the smaller name goes to the front.
for i = #taken, 1, -1 do
  leased[#leased + 1] = score
  leased[#leased + 1] = taken[i]
end
call_with_all(leased, 'ZADD', leases)
note_taken(gates, admission, worker, #taken)
if admission.is_probe and #taken > 0 then answer[5] = 1 end

-- If the clock of Redis went back, leases would last longer than they may: each lasts its own length from now. A living holder
-- renews it before that.
local latest = redis.call('ZRANGE', leases, 0, 0, 'WITHSCORES')
if latest[2] and -tonumber(latest[2]) > now + lease then
  local far, shortened = redis.call('ZRANGEBYSCORE', leases, '-inf', '(' .. score_of(now + lease), 'WITHSCORES', 'LIMIT', 0, 100), {}
  local keys = {}
  for at = 1, #far, 2 do keys[#keys + 1] = far[at] end
  for i, text in ipairs(read_records(records, keys)) do
    local own = tonumber(string.match(text or '', '^r %S+ %S+ %S+ (%d+)\n')) or lease
    if -tonumber(far[2 * i]) > now + own then
      shortened[#shortened + 1] = score_of(now + own)
      shortened[#shortened + 1] = keys[i]
    end
  end
  call_with_all(shortened, 'ZADD', leases)
end

local oldest = redis.call('ZRANGE', leases, -1, -1, 'WITHSCORES')
if oldest[2] then
  local expiry = -tonumber(oldest[2])
  if expiry <= now then answer[3] = 1 end
  look_again = math.min(look_again or expiry, expiry)
end
if waiting and not admission.is_stopped and (#jobs < most or admission.is_ramping) then
  local next_due = redis.call('ZRANGEBYSCORE', scheduled, FIRST_MILLISECOND, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if next_due[2] then look_again = math.min(look_again or math.huge, tonumber(next_due[2])) end
end
local next_probe_at = next_held_probe(active, held)
if next_probe_at then look_again = math.min(look_again or math.huge, next_probe_at) end
local is_more = admission.is_ramping and not is_alone and count_ready(active, held) > 0
local next_admission_at = next_admission(admission, wanted, #taken, is_more)
if next_admission_at then look_again = math.min(look_again or math.huge, next_admission_at) end
if look_again then answer[2] = look_again end
return answer
