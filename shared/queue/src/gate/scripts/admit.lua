-- admit: how many jobs the gates let through now. This text stands between clock.lua and the queue's fetch script, and nowhere else.
--
-- A stopped gate lets nothing through; a gate that is being probed lets one job through, to the holder of the probe alone; a ramping gate
-- gives tokens, one per job. The ramp's rate is `rate` × (t ÷ length)², so until t it has given rate × t³ ÷ (3 × length²) tokens. Tokens
-- that nobody takes are kept for a quarter of a second at most: a late rush is no faster than the ramp.

-- base: where the gates' keys begin · needs: the gates that the jobs of this queue pass
local function admit(base, needs, worker, most)
  local admission = { most = most, ramps = {}, probes = {}, is_probe = false, is_ramping = false, is_stopped = false }
  if redis.call('EXISTS', base .. ':closed') == 0 then return admission end
  local holds_probe = false
  for _, name in ipairs(needs) do
    local gate = base .. ':' .. name
    local field = redis.call('HMGET', gate, 'state', 'holder', 'lease', 'phase', 'job', 'began', 'length', 'rate', 'tokens', 'filled')
    if field[1] == 'ramping' then
      local began, length, rate = tonumber(field[6]), tonumber(field[7]), tonumber(field[8])
      local elapsed = now - began
      if elapsed < length then
        local filled = math.max(0, math.min(tonumber(field[10]) - began, length))
        local cube = rate / (3 * length * length)
        local tokens = tonumber(field[9])
        if elapsed > filled then tokens = tokens + cube * (elapsed * elapsed * elapsed - filled * filled * filled) end
        local position = math.max(elapsed, 0) / length
        tokens = math.min(tokens, math.max(1, rate * position * position * 250))
        admission.is_ramping = true
        admission.ramps[#admission.ramps + 1] = {
          gate = gate, name = name, tokens = tokens, filled = math.max(now, tonumber(field[10])),
          began = began, length = length, cube = cube, from = math.max(elapsed, filled),
        }
        admission.most = math.min(admission.most, math.floor(tokens))
      end
    elseif field[1] == 'probing' and field[4] == 'job' and not field[5] and tonumber(field[3]) > now then
      admission.probes[#admission.probes + 1] = gate
      if field[2] == worker then holds_probe = true end
    elseif field[1] then
      admission.is_stopped, admission.most = true, 0
    end
  end
  if #admission.probes > 0 then
    if not holds_probe then admission.is_stopped = true end
    admission.most = math.min(admission.most, holds_probe and 1 or 0)
    admission.is_probe = admission.most == 1
  end
  return admission
end

-- When all ramps will have a token again.
local function next_token(admission, taken)
  local look_again
  for _, ramp in ipairs(admission.ramps) do
    local missing = 1 - (ramp.tokens - taken)
    if missing > 0 then
      local due = ramp.began + math.min(ramp.length, math.pow(ramp.from * ramp.from * ramp.from + missing / ramp.cube, 1 / 3))
      look_again = math.max(look_again or 0, math.ceil(due))
    end
  end
  return look_again
end

-- Notes that so many of the admitted jobs were really taken.
local function note_taken(base, admission, worker, taken)
  if taken == 0 then return end
  local counted = {}
  for _, ramp in ipairs(admission.ramps) do
    redis.call('HSET', ramp.gate, 'tokens', string.format('%.9f', ramp.tokens - taken), 'filled', string.format('%.0f', ramp.filled))
    redis.call('HINCRBY', ramp.gate, 'given', taken)
    local target = string.match(ramp.name, '^[^:]+')
    local incident = base .. ':incident:' .. target
    if not counted[target] and redis.call('HEXISTS', incident, 'since') == 1 then redis.call('HINCRBY', incident, 'drained', taken) end
    counted[target] = true
  end
  for _, gate in ipairs(admission.probes) do
    redis.call('HSET', gate, 'job', worker, 'job_since', string.format('%.0f', now))
  end
end

-- Whether this worker's probe job is under way: a repeated fetch must say so again.
local function has_probe_job(base, needs, worker)
  if redis.call('EXISTS', base .. ':closed') == 0 then return false end
  for _, name in ipairs(needs) do
    if redis.call('HGET', base .. ':' .. name, 'job') == worker then return true end
  end
  return false
end
