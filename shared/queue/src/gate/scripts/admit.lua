-- admit: how many jobs the gates let through now. This text stands between clock.lua and the queue's fetch script, and nowhere else.
--
-- A stopped gate lets nothing through; a gate that is being probed lets one job through, to the holder of the probe alone; a ramping gate
-- lets through as many as are missing to its limit of jobs in flight, over all replicas (ramp.lua says how the limit grows).
local RAMP_START = 4
local LOOK_AGAIN = 20 -- how soon a process whose fetch was cut short by a limit asks again, ms

-- base: where the gates' keys begin · needs: the gates that the jobs of this queue pass · leases: its jobs in flight
local function admit(base, needs, worker, most, leases)
  local admission = { most = most, ramps = {}, probes = {}, is_probe = false, is_ramping = false, is_stopped = false }
  if redis.call('EXISTS', base .. ':closed') == 0 then return admission end
  local holds_probe = false
  for _, name in ipairs(needs) do
    local gate = base .. ':' .. name
    local field = redis.call('HMGET', gate, 'state', 'holder', 'lease', 'phase', 'job', 'limit', 'resume', 'pause')
    if field[1] == 'ramping' then
      -- (Former versions wrote no limit.)
      local ramp = { gate = gate, name = name, resume = tonumber(field[7]) }
      ramp.room = math.max(0, (tonumber(field[6]) or RAMP_START) - redis.call('ZCARD', leases))
      ramp.is_pausing = ramp.resume and not has_come(ramp.resume, tonumber(field[8]) or 0)
      if ramp.is_pausing then ramp.room = 0 end
      admission.is_ramping = true
      admission.ramps[#admission.ramps + 1] = ramp
      admission.most = math.min(admission.most, ramp.room)
    elseif field[1] == 'probing' and field[4] == 'job' and not field[5] and tonumber(field[3]) > now then
      admission.probes[#admission.probes + 1] = gate
      if field[2] == worker then holds_probe = true end
    elseif field[1] then
      admission.is_stopped, admission.most = true, 0
    end
  end
  if #admission.probes > 0 then
    if not holds_probe then admission.is_stopped = true end
    admission.most = math.min(admission.most, holds_probe and 1 or 0)
    admission.is_probe = admission.most == 1
  end
  return admission
end

-- When a fetch that wanted more jobs may get them. `is_more`: jobs are ready that it did not get.
local function next_admission(admission, wanted, taken, is_more)
  local look_again
  if admission.is_stopped then return end
  for _, ramp in ipairs(admission.ramps) do
    if ramp.is_pausing then
      look_again = math.max(look_again or 0, ramp.resume)
    elseif is_more and taken < wanted and ramp.room <= taken then
      -- The limit is felt: it may grow, and the ramp is not over.
      redis.call('HSET', ramp.gate, 'pressed', string.format('%.0f', now))
      look_again = math.max(look_again or 0, now + LOOK_AGAIN)
    end
  end
  return look_again
end

-- Notes that so many of the admitted jobs were really taken.
local function note_taken(base, admission, worker, taken)
  if taken == 0 then return end
  local counted = {}
  for _, ramp in ipairs(admission.ramps) do
    redis.call('HINCRBY', ramp.gate, 'given', taken)
    local target = string.match(ramp.name, '^[^:]+')
    local incident = base .. ':incident:' .. target
    if not counted[target] and redis.call('HEXISTS', incident, 'since') == 1 then redis.call('HINCRBY', incident, 'drained', taken) end
    counted[target] = true
  end
  for _, gate in ipairs(admission.probes) do
    redis.call('HSET', gate, 'job', worker, 'job_since', string.format('%.0f', now))
  end
end

-- Whether this worker's probe job is under way: a repeated fetch must say so again.
local function has_probe_job(base, needs, worker)
  if redis.call('EXISTS', base .. ':closed') == 0 then return false end
  for _, name in ipairs(needs) do
    if redis.call('HGET', base .. ':' .. name, 'job') == worker then return true end
  end
  return false
end
