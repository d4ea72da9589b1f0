-- permit: the right to make one call of a target: taken, renewed and given back. clock.lua and limit.lua stand before this text.
--
-- KEYS 1 permits in use: sorted set of tokens by the time when they expire, ms · 2 waiting processes: sorted set by the time until when
--   they count as waiting, ms · 3 when this script ran last, ms · 4 how many permits are useful: see limit.lua
-- ARGV 1 token · 2 process · 3 most permits at once · 4 lease, ms · 5 how long a process counts as waiting, ms ·
--   6 'take' or 'yield' (before a call: 'yield' lets waiting processes go first), 'keep' (during a call) or 'give' (no call follows) ·
--   7 '1' if a call of this token has ended since the last time
-- Answers how many permits are useful when the token is one now, else 0.
local used, waiting, last_run, measured = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local token, process, most, lease, belief, wish = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local KEPT = 3600000 -- unused keys, ms: longer than a clock may jump

local limit = useful_limit(measured, most)
if ARGV[7] == '1' then limit = count_call(measured, limit, most) end

if wish == 'give' then
  redis.call('ZREM', used, token)
  return 0
end

-- Calls renew their permits every third of a lease. So if the script did not run for half a lease, or ran in the future, the clock jumped
-- or no call was under way: each permit gets one more lease, in which a living call renews it.
local last = tonumber(redis.call('GET', last_run) or now)
if math.abs(now - last) > lease / 2 then
  for _, held in ipairs(redis.call('ZRANGE', used, 0, -1)) do redis.call('ZADD', used, now + lease, held) end
  redis.call('DEL', waiting)
  measure_anew(measured, now)
end
redis.call('SET', last_run, now, 'PX', KEPT)
redis.call('ZREMRANGEBYSCORE', used, '-inf', now)
redis.call('ZREMRANGEBYSCORE', waiting, '-inf', now)

local function take()
  redis.call('ZADD', used, now + lease, token)
  redis.call('PEXPIRE', used, KEPT)
  redis.call('ZREM', waiting, process)
  local is_slack = wish ~= 'keep' and redis.call('ZCARD', used) < limit and redis.call('EXISTS', waiting) == 0
  if is_slack then count_slack(measured) end
  return limit
end

if redis.call('ZSCORE', used, token) then
  local others = redis.call('ZCARD', waiting) - (redis.call('ZSCORE', waiting, process) and 1 or 0)
  -- More than the limit: it was lowered, or a process woke after its permits had expired.
  local is_surplus = redis.call('ZCARD', used) > limit
  if wish ~= 'yield' or (others == 0 and not is_surplus) then return take() end
  redis.call('ZREM', used, token)
elseif redis.call('ZCARD', used) < limit then
  return take()
end
if wish == 'keep' then return 0 end
redis.call('ZADD', waiting, now + belief, process)
redis.call('PEXPIRE', waiting, 2 * belief)
return 0
