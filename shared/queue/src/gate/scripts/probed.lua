-- probed: what a probe has found. Only its holder is believed.
--
-- ARGV 4 target (of a job that was done or decides nothing: any target of its queue) · 5 finding: healthy, ill (of the health check),
-- done, failed, undecided (of the job) · 6 why
-- A failed job speaks of the target that failed it. A job that failed for reasons of its own decides nothing: another one is let through.
local target, finding, why = ARGV[4], ARGV[5], ARGV[6]

for _, name in ipairs(not_flowing()) do
  local gate = hash(name)
  local is_mine = gate.state == 'probing' and gate.holder == process and tonumber(gate.lease) > now
  local has_job = gate.state == 'probing' and gate.job == process
  if finding == 'healthy' or finding == 'ill' then
    if is_mine and gate.phase == 'health' and target_of(name) == target then
      if finding == 'ill' then
        stop_again(name, gate, why)
      else
        redis.call('HSET', key(name), 'phase', 'job', 'phase_since', ms(now))
        -- One of them is the probe; the others wait for its end in the queue.
        end_waits(target, true)
        wake(target)
      end
    end
  elseif has_job and QUEUES[target_of(name)] == QUEUES[target] then
    if finding == 'done' then
      start_ramp(name, gate, 'rule', 'a job got through')
    elseif finding == 'failed' and target_of(name) == target then
      stop_again(name, gate, why)
    else
      redis.call('HDEL', key(name), 'job', 'job_since')
      wake(target_of(name))
    end
  end
end
return answer()
