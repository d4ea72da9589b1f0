-- operate: an operator's decision, written down with who and why.
--
-- ARGV 4 gate · 5 verb: close, open, ramp · 6 why
local name, verb, why = ARGV[4], ARGV[5], ARGV[6]
local gate = hash(name)
tell({ kind = 'operated', target = target_of(name), gate = name, verb = verb, by = process, why = why })
if verb == 'open' then
  if gate.state then open(name, gate, why) end
elseif verb == 'ramp' then
  start_ramp(name, gate, process, why)
else
  clear_probe(name)
  redis.call('HSET', key(name), 'state', 'stopped', 'since', ms(now), 'why', why, 'by', process, 'down', gate.down or ms(now),
    'closed_from', gate.closed_from or ms(now), 'wait', gate.wait or ms(policy.first), 'manual', '1')
  redis.call('HDEL', key(name), 'next', 'asked')
  redis.call('SADD', key('closed'), name)
end
return answer()
