-- ramp: congestion control after a recovery. This text stands behind gate.lua.
--
-- The limit of a ramping gate is the number of jobs in flight, over all replicas. It moves at most once a step (a second), by what the calls
-- of the gate's target gave since the last one: it doubles while answers are good and it was felt, as in the slow start of TCP (RFC 5681),
-- and halves on trouble. The fastest answer of a step is compared with the fastest of the ramp, as in TCP Vegas: a target that works off a
-- queue is slow to answer even the easiest call. A ramp whose limit was not felt for some steps, and that saw no trouble, is over.
--
-- Fields of a gate that ramps: limit · stepped (when it last moved) · answered, failed, throttled, fastest (ms): the calls since then ·
--   best (ms): the fastest answer of the ramp · pressed: when a fetch was last cut short by the limit · troubled: when it was last halved

-- A millisecond more or less says nothing of a target that answers faster than this.
local JITTER = 25
-- Of fewer answers the fastest one may have been a slow call.
local ENOUGH_ANSWERS = 5

-- Adds the calls of a target, as report.lua has them, to its ramps. `fastest`: milliseconds, or -1.
local function observe(target, calls)
  for _, name in ipairs(not_flowing(target)) do
    local gate = hash(name)
    if gate.state == 'ramping' then
      if calls.fastest >= 0 and calls.fastest < (tonumber(gate.fastest) or math.huge) then
        redis.call('HSET', key(name), 'fastest', string.format('%.3f', calls.fastest))
      end
      redis.call('HINCRBY', key(name), 'answered', calls.answered)
      redis.call('HINCRBY', key(name), 'failed', calls.failed)
      if calls.throttled >= 0 then redis.call('HINCRBY', key(name), 'throttled', 1) end
    end
  end
end

-- How many times slower than the best the answers of a step were; 1 where that is not known.
local function slowness(answered, fastest, best)
  if answered < ENOUGH_ANSWERS or not fastest then return 1 end
  return math.max(fastest, JITTER) / math.max(best or fastest, JITTER)
end

-- One step of a ramping gate, when its time has come.
local function step(name)
  local gate = hash(name)
  local stepped = tonumber(gate.stepped) or tonumber(gate.since)
  if gate.state ~= 'ramping' or not has_come(stepped + policy.step, policy.step) then return end
  local number = function(field) return tonumber(gate[field]) or 0 end
  local limit, answered, failed = tonumber(gate.limit) or RAMP_START, number('answered'), number('failed')
  local fastest, best = tonumber(gate.fastest), tonumber(gate.best)
  local slow = slowness(answered, fastest, best)
  local is_failing = failed > 0 and failed >= (answered + failed) * policy.trouble_share
  if is_failing or number('throttled') > 0 or slow > policy.too_slow then
    limit = math.max(1, math.floor(limit / 2))
    redis.call('HSET', key(name), 'troubled', ms(now))
  elseif answered > 0 and number('pressed') >= stepped and slow <= policy.slow then
    limit = math.min(limit * 2, policy.ramp_most)
  end
  if fastest then redis.call('HSET', key(name), 'best', string.format('%.3f', math.min(best or fastest, fastest))) end
  redis.call('HSET', key(name), 'limit', ms(limit), 'stepped', ms(now))
  redis.call('HDEL', key(name), 'answered', 'failed', 'throttled', 'fastest')
end

-- A target that asks for fewer calls gets none for the time that it named. The next step halves the limit.
local function pause(name, asked)
  redis.call('HSET', key(name), 'resume', ms(now + asked), 'pause', ms(asked), 'filled', ms(now + asked), 'tokens', '0')
end

-- Whether the ramp is over: nothing that was ready has waited for it for some steps.
local function is_calm(gate)
  if gate.resume and not has_come(tonumber(gate.resume), tonumber(gate.pause) or 0) then return false end
  local latest = tonumber(gate.since)
  for _, field in ipairs({ 'pressed', 'troubled', 'resume' }) do latest = math.max(latest, tonumber(gate[field]) or 0) end
  return has_come(latest + policy.calm, policy.calm)
end
