-- fetch: takes jobs for a worker: each with a lease (it expires by the clock of Redis) and a token that only its holder knows.
--
-- KEYS 1 active · 2 scheduled · 3 leases · 4 record prefix · 5 paused · 6 base of the gates
-- ARGV 1 most jobs · 2 lease milliseconds · 3 call · 4 worker · 5 '1' if this call is repeated because its answer was lost ·
--      6… the gates that the jobs of this queue pass
-- Answer: now · when to look again (-1: nothing is waiting for its time) · expired leases? · stock tasks? · is the job a probe?,
--         then for each job: key · token · c · k · e · w · a · x · f
local active, scheduled, leases, records, paused, gates = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local most, lease, call, worker, repeated = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5] == '1'
-- Ours wait by the millisecond, tasks of stock producers by the second, in the same set: the size of the score tells them apart.
local FIRST_MILLISECOND = 100000000000

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local answer = { now, -1, 0, 0, 0 }
local needs = {}
for at = 6, #ARGV do needs[#needs + 1] = ARGV[at] end

local function report(job, token, fields)
  local n = #answer
  answer[n + 1], answer[n + 2] = job, token
  for i = 1, 7 do answer[n + 2 + i] = fields[i + 1] end
end

if repeated then
  -- What the lost answer had taken is still leased under this call; the set only holds what is running now.
  for _, job in ipairs(redis.call('ZRANGE', leases, 0, 9999)) do
    local fields = redis.call('HMGET', records .. ':' .. job, 's', 'c', 'k', 'e', 'w', 'a', 'x', 'f', 't')
    if fields[1] == 'r' and fields[9] and string.sub(fields[9], 1, #call + 1) == call .. ':' then report(job, fields[9], fields) end
  end
  if #answer > 5 then
    if has_probe_job(gates, needs, worker) then answer[5] = 1 end
    return answer
  end
end

if redis.call('EXISTS', paused) == 1 then return answer end
-- See admit.lua, which stands before this text. Jobs that are not admitted stay where they are: queued, or waiting although they are due.
local admission = admit(gates, needs, worker, now, most)
most = admission.most

local first = redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')
local waiting = first[2] ~= nil
local look_again
if waiting and tonumber(first[2]) < FIRST_MILLISECOND then
  if tonumber(first[2]) * 1000 <= now then answer[4] = 1 else look_again = tonumber(first[2]) * 1000 end
end
if waiting and not admission.is_closed then
  local due = redis.call('ZRANGEBYSCORE', scheduled, FIRST_MILLISECOND, now, 'LIMIT', 0, 200)
  if #due > 0 then
    for _, job in ipairs(due) do redis.call('HSET', records .. ':' .. job, 's', 'q') end
    redis.call('RPUSH', active, unpack(due))
    redis.call('ZREM', scheduled, unpack(due))
  end
end

local jobs = most > 0 and pop(active, admission, most) or {}
local leased = {}
for i, job in ipairs(jobs) do
  local record = records .. ':' .. job
  local fields = redis.call('HMGET', record, 's', 'c', 'k', 'e', 'w', 'a', 'x', 'f')
  -- A key that is running or waiting is never taken a second time, however it came into the list.
  if fields[1] ~= 'r' and fields[1] ~= 'w' then
    local token = call .. ':' .. i
    redis.call('HSET', record, 's', 'r', 't', token, 'o', worker, 'b', now)
    leased[#leased + 1] = now + lease
    leased[#leased + 1] = job
    report(job, token, fields)
  end
end
if #leased > 0 then redis.call('ZADD', leases, unpack(leased)) end
note_taken(gates, admission, worker, now, #leased / 2)
if admission.is_probe and #leased > 0 then answer[5] = 1 end

local oldest = redis.call('ZRANGE', leases, 0, 0, 'WITHSCORES')
if oldest[2] then
  local expiry = tonumber(oldest[2])
  if expiry <= now then answer[3] = 1 end
  look_again = math.min(look_again or expiry, expiry)
end
if waiting and not admission.is_closed and #jobs < most then
  local next_due = redis.call('ZRANGEBYSCORE', scheduled, FIRST_MILLISECOND, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if next_due[2] then look_again = math.min(look_again or math.huge, tonumber(next_due[2])) end
end
local next_token_at = next_token(admission, #leased / 2)
if next_token_at then look_again = math.min(look_again or math.huge, next_token_at) end
if look_again then answer[2] = look_again end
return answer
