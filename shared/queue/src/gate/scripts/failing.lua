-- failing: a job has failed for the third time although no gate stopped: an incident of this cause, so that it hides no outage of the target.
-- While an outage lasts, it explains the failure and lasts on with it.
--
-- ARGV 4 target · 5 cause, a short word · 6 why
local target, cause, why = ARGV[4], ARGV[5], ARGV[6]
local incident = 'incident:' .. target
if redis.call('HEXISTS', key(incident), 'since') == 0 then
  local name = target .. ':' .. cause
  incident = 'incident:' .. name
  redis.call('SADD', FAILING, name)
  begin(incident, target, why, { cause = cause })
end
redis.call('HSET', key(incident), 'failing', ms(now))
return answer()
