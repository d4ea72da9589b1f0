-- failing: a job has failed for the third time although no gate stopped: opens an incident, unless one lasts already.
--
-- ARGV 4 target · 5 why
trouble(ARGV[4], ARGV[5])
redis.call('HSET', key('incident:' .. ARGV[4]), 'failing', ms(now))
return answer()
