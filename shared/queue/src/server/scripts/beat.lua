-- beat: the heartbeat of a worker. Prepended: clock.lua.
--
-- KEYS 1 workers · 2 what is known of this one
-- ARGV 1 its name · 2 what it says of itself · 3 how long a sign counts, ms · 4 after how long a silent worker is taken off the list, ms ·
--      5 most workers that are looked at · 6 start of their keys
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[4]))
-- Who gave its last sign before the clock went back is no longer believed than anybody else.
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%.0f', now + CORRECTION), '+inf', 'LIMIT', 0, tonumber(ARGV[5]))) do
  redis.call('ZADD', KEYS[1], now, name)
  expire_within(ARGV[6] .. name, tonumber(ARGV[3]))
end
