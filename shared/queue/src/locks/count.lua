-- count: how often something was done in a window of time, this time included. Prepended: clock.lua.
--
-- KEYS 1 the count
-- ARGV 1 the window, ms
-- Answer: how often · how much of the window is left, ms
local count = redis.call('INCR', KEYS[1])
expire_within(KEYS[1], tonumber(ARGV[1]))
return { count, redis.call('PTTL', KEYS[1]) }
