-- held: tables whose rule cannot be carried out for any row: their jobs stay in their lane, and one now and then finds out whether the rule was
-- mended. clock.lua stands before this text.
--
-- <base of the gates>:held  hash: the name of the lane → JSON: since · why · next, within (when the next probe may be taken, and how long
--                           before that this was written) · wait (what led to it) · job (the probe that is under way)
local function held_lanes(base)
  local flat, held = redis.call('HGETALL', base .. ':held'), {}
  for at = 1, #flat, 2 do held[flat[at]] = cjson.decode(flat[at + 1]) end
  return held
end

local function keep_held(base, name, it) redis.call('HSET', base .. ':held', name, cjson.encode(it)) end

local function may_probe_held(it) return has_come(it.next, it.within) end

-- How many jobs of a lane may be taken: of a held one a single probe, when its time has come.
local function portion_of(held)
  local probed = {}
  return function(name, most)
    local it = held[name]
    if not it then return most end
    if probed[name] or not may_probe_held(it) then return 0 end
    probed[name] = true
    return math.min(most, 1)
  end
end

-- Notes the probes among the jobs that were taken: the next one comes after the same wait, should this one never end.
local function note_probes(base, held, jobs, lane_of)
  if next(held) == nil then return end
  for _, job in ipairs(jobs) do
    local it = held[lane_of(job)]
    if it then
      it.job, it.next, it.within = job, now + it.wait, it.wait
      keep_held(base, lane_of(job), it)
    end
  end
end

-- When the next probe of a lane that has jobs may be taken.
local function next_held_probe(active, held)
  local look_again
  for name, it in pairs(held) do
    if redis.call('EXISTS', active .. ':lane:' .. name) == 1 then look_again = math.min(look_again or it.next, it.next) end
  end
  return look_again
end

-- A probe that was done ends the hold of its lane. Says whether one ended.
local function release_held(base, jobs, lane_of)
  local is_any = false
  if #jobs == 0 or redis.call('EXISTS', base .. ':held') == 0 then return false end
  local held = held_lanes(base)
  for _, job in ipairs(jobs) do
    local name = lane_of(job)
    if held[name] and held[name].job == job then
      redis.call('HDEL', base .. ':held', name)
      is_any = true
    end
  end
  return is_any
end
