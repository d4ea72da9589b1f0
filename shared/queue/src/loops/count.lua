-- count: counts identical events of a row, and parks the row when there are too many. Prepended: clock.lua.
--
-- KEYS 1 count of the row's content · 2 set of parked rows by the end of their cool-down · 3 the same by its beginning
-- ARGV 1 row · 2 how many · 3 most · 4 window in milliseconds · 5 cool-down in milliseconds
-- Answer: 1 if this call parked the row
-- Free are those whose cool-down is over, and those that were parked before the clock went back.
local free = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)
for _, row in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], string.format('(%.0f', now + CORRECTION), '+inf')) do free[#free + 1] = row end
for _, row in ipairs(free) do
  redis.call('ZREM', KEYS[2], row)
  redis.call('ZREM', KEYS[3], row)
end
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 0 end
local seen = redis.call('INCRBY', KEYS[1], ARGV[2])
expire_within(KEYS[1], tonumber(ARGV[4]))
if seen <= tonumber(ARGV[3]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('ZADD', KEYS[2], now + ARGV[5], ARGV[1])
redis.call('ZADD', KEYS[3], now, ARGV[1])
return 1
