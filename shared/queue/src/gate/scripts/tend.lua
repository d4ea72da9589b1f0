-- tend: what every process sends once a tick: takes and renews the lease of a probe, ends ramps and incidents, writes the hourly digest.
-- One probe per target: its holder answers for all gates of the target. After a vanished holder's lease, the next process takes over.
if is_quiet() then return answer() end

local function may_probe(gate) return gate.state == 'stopped' and gate.manual ~= '1' end

local function take(name)
  redis.call('HSET', key(name), 'state', 'probing', 'holder', process, 'lease', ms(now + policy.lease), 'phase', 'health', 'phase_since', ms(now))
  redis.call('HDEL', key(name), 'job', 'job_since')
end

local function keep(name, gate)
  if gate.job and has_come(tonumber(gate.job_since) + policy.job_patience, policy.job_patience) then
    return stop_again(name, gate, 'the job that probed it did not end in time')
  end
  -- Healthy, and no job to be had: the ramp itself will be careful enough with the next ones.
  local is_idle = gate.phase == 'job' and not gate.job and count_ready(queue_key(target_of(name), 1), held_lanes(base)) == 0
  if is_idle and has_come(tonumber(gate.phase_since) + policy.idle, policy.idle) then
    return start_ramp(name, gate, 'rule', 'healthy, and no job was waiting')
  end
  redis.call('HSET', key(name), 'lease', ms(now + policy.lease))
end

local due = {}
for _, name in ipairs(not_flowing()) do
  local gate = hash(name)
  if gate.state == 'ramping' then
    step(name)
    if is_calm(hash(name)) then flow(name, gate, 'the ramp is over') end
  elseif gate.state == 'probing' and gate.holder == process then
    keep(name, gate)
  elseif gate.state == 'probing' and has_come(tonumber(gate.lease), policy.lease) then
    take(name)
  elseif may_probe(gate) and is_due(gate) then
    due[target_of(name)] = true
  end
end
-- Gates of a target are probed together, but none before a time that the target itself named.
for target, _ in pairs(due) do
  for _, name in ipairs(not_flowing(target)) do
    local gate = hash(name)
    if may_probe(gate) and (gate.asked ~= '1' or is_due(gate)) then take(name) end
  end
end

-- `cause`: of an incident of failing jobs; none for an outage, which lasts as long as a gate of its target does not flow.
local function over(name, target, cause, incident)
  local is_quiet_yet = not incident.failing or has_come(tonumber(incident.failing) + policy.quiet, policy.quiet)
  if not is_quiet_yet or (not cause and #not_flowing(target) > 0) then return end
  redis.call('DEL', key(name))
  if cause then redis.call('SREM', FAILING, target .. ':' .. cause) end
  local finish = tonumber(incident.recovered) or now
  note({
    kind = 'over', target = target, cause = cause, why = incident.why, lasted_ms = math.max(0, finish - tonumber(incident.since)),
    drained = tonumber(incident.drained) or 0, dead = redis.call('ZCARD', queue_key(target, 3)) - tonumber(incident.dead or 0),
  })
end

local function tend_incident(name, target, cause)
  local incident = hash(name)
  if not incident.since then return end
  if has_come(tonumber(incident.digest) + policy.digest, policy.digest) then
    redis.call('HSET', key(name), 'digest', ms(now))
    note({
      kind = 'lasting', target = target, cause = cause, why = incident.why, lasted_ms = since(incident.since),
      held = backlog(target),
    })
  end
  over(name, target, cause, incident)
end

for target, _ in pairs(QUEUES) do tend_incident('incident:' .. target, target) end
for _, name in ipairs(redis.call('SMEMBERS', FAILING)) do
  local target, cause = string.match(name, '^([^:]+):(.*)$')
  tend_incident('incident:' .. name, target, cause)
end
return answer()
