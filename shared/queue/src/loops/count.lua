-- count: counts identical events of a row, and parks the row when there are too many.
--
-- KEYS 1 count of the row's content · 2 set of parked rows by the end of their cool-down
-- ARGV 1 row · 2 how many · 3 most · 4 window in milliseconds · 5 cool-down in milliseconds
-- Answer: 1 if this call parked the row
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 0 end
local seen = redis.call('INCRBY', KEYS[1], ARGV[2])
if seen == tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
if seen <= tonumber(ARGV[3]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('ZADD', KEYS[2], now + ARGV[5], ARGV[1])
return 1
