-- operate: an operator's decision, written down with who and why.
--
-- ARGV 4 gate · 5 verb: stop, release, ramp · 6 why
local name, verb, why = ARGV[4], ARGV[5], ARGV[6]

local gate = hash(name)
note({ kind = 'operated', target = target_of(name), gate = name, verb = verb, by = process, why = why })
if verb == 'release' then
  if gate.state then flow(name, gate, why) end
  end_waits(target_of(name))
  wake(target_of(name))
elseif verb == 'ramp' then
  start_ramp(name, gate, process, why)
else
  clear_probe(name)
  redis.call('HSET', key(name), 'state', 'stopped', 'since', ms(now), 'why', why, 'by', process, 'down', gate.down or ms(now),
    'stopped_from', gate.stopped_from or ms(now), 'wait', gate.wait or ms(policy.first), 'manual', '1')
  redis.call('HDEL', key(name), 'next', 'within', 'asked')
  redis.call('SADD', NOT_FLOWING, name)
end
return answer()
