-- budget: whether something may be done that all together may do only so often in any window of time. Prepended: clock.lua.
--
-- KEYS 1 sorted set of what was done, by its moment
-- ARGV 1 its name: what was allowed once stays so · 2 most · 3 the window, ms
-- Answer: 0 if it may be done, or how long to wait until something else falls out of the window, ms
local done, name, most, window = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', done, '-inf', now - window)
-- What was done in what is the future now was done before the clock went back.
redis.call('ZREMRANGEBYSCORE', done, string.format('(%.0f', now + CORRECTION), '+inf')
if redis.call('ZSCORE', done, name) then return 0 end
if redis.call('ZCARD', done) < most then
  redis.call('ZADD', done, now, name)
  redis.call('PEXPIRE', done, window)
  return 0
end
local oldest = redis.call('ZRANGE', done, 0, 0, 'WITHSCORES')
return math.max(1, tonumber(oldest[2] or now) + window - now)
