-- clock: the time of Redis, and what a moment says that may have been written before that clock was put back. This text stands first in every
-- script that compares times.
--
-- Times are milliseconds since 1970. A clock that jumps ahead makes what waits due, and leases look expired: see server/clock.rs.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
-- A clock that is corrected by less than this went nowhere.
local CORRECTION = 1000

-- Whether something that was written as the present lies ahead: the clock has gone back since.
local function is_ahead(written) return written > now + CORRECTION end

-- Whether a moment has come that was written at most `within` before it. One that is further away counts as now.
local function has_come(moment, within) return moment <= now or is_ahead(moment - within) end

-- Gives a key its life if it has none, or a longer one: what Redis expires has a moment too.
local function expire_within(key, life)
  local left = redis.call('PTTL', key)
  if left ~= -2 and (left == -1 or left > life + CORRECTION) then redis.call('PEXPIRE', key, life) end
end
