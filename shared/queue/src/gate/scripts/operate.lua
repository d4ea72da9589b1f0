-- operate: an operator's decision, written down with who and why.
--
-- ARGV 4 gate · 5 verb: stop, release, ramp · 6 why
local name, verb, why = ARGV[4], ARGV[5], ARGV[6]
local MOST_HELD = 10000

-- The holds that a stop caused end with it: those jobs are due now. A job that is held for another reason is held again.
local function end_holds(target)
  local scheduled = queue_key(target, 2)
  local jobs = redis.call('ZRANGEBYSCORE', scheduled, '(' .. ms(now), '+inf', 'LIMIT', 0, MOST_HELD)
  local due = {}
  for at, text in ipairs(read_records(queue_key(target, 5), jobs)) do
    if text and string.sub(text, 1, 6) == 'w held' then
      due[#due + 1] = ms(now)
      due[#due + 1] = jobs[at]
    end
  end
  call_with_all(due, 'ZADD', scheduled)
  wake(target)
end

local gate = hash(name)
note({ kind = 'operated', target = target_of(name), gate = name, verb = verb, by = process, why = why })
if verb == 'release' then
  if gate.state then flow(name, gate, why) end
  end_holds(target_of(name))
elseif verb == 'ramp' then
  start_ramp(name, gate, process, why)
  end_holds(target_of(name))
else
  clear_probe(name)
  redis.call('HSET', key(name), 'state', 'stopped', 'since', ms(now), 'why', why, 'by', process, 'down', gate.down or ms(now),
    'stopped_from', gate.stopped_from or ms(now), 'wait', gate.wait or ms(policy.first), 'manual', '1')
  redis.call('HDEL', key(name), 'next', 'within', 'asked')
  redis.call('SADD', NOT_FLOWING, name)
end
return answer()
