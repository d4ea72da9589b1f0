-- lanes: tables are served in turn, so that a hundred thousand jobs of one table do not delay the next job of another. This text stands
-- before the queue's fetch script; record.lua stands before it.
--
-- Whoever makes a job ready appends its key to the list `active`, and knows no more. Fetch spreads that list over one list per table, the
-- lanes, and takes from them in turn. What a stopping worker gave back is served first.
--
-- <active>:lanes       the names of the lanes that hold jobs, each once, in the order of their turns
-- <active>:lane:<name> the jobs of a lane, in the order in which they became ready
-- <active>:front       the jobs that were given back
local SPREAD = 5000 -- keys that one call spreads at most: what is behind them is spread by the next calls

local KINDS = { page = true, share = true, table = true, notice = true }

-- The lane of a job: its table, or what kind of job it is.
local function lane_of(job)
  local name = string.match(job, '^(%w+)/')
  return name and (KINDS[name] or string.match(name, '^t%d+$')) and name or 'other'
end

local function spread(active)
  local jobs = redis.call('LPOP', active, SPREAD)
  if not jobs then return end
  local lanes, names = {}, {}
  for _, job in ipairs(jobs) do
    local name = lane_of(job)
    local lane = lanes[name]
    if not lane then
      lane = {}
      lanes[name] = lane
      names[#names + 1] = name
    end
    lane[#lane + 1] = job
  end
  for _, name in ipairs(names) do
    local key = active .. ':lane:' .. name
    if redis.call('EXISTS', key) == 0 then redis.call('RPUSH', active .. ':lanes', name) end
    call_with_all(lanes[name], 'RPUSH', key)
  end
end

-- Takes up to so many jobs of the lane whose turn it is, from one of its ends. Its next turn comes after those of the others. A lane of which
-- none may be taken (`portion` says how many) is passed over.
local function take_turn(active, command, most, portion)
  for _ = 1, redis.call('LLEN', active .. ':lanes') do
    local name = redis.call('LPOP', active .. ':lanes')
    local key = active .. ':lane:' .. name
    local part = portion(name, most)
    local jobs = part > 0 and redis.call(command, key, part) or {}
    if redis.call('EXISTS', key) == 1 then redis.call('RPUSH', active .. ':lanes', name) end
    if #jobs > 0 then return jobs end
  end
  return {}
end

local function append(jobs, more)
  for _, job in ipairs(more) do jobs[#jobs + 1] = job end
end

-- While ramping, seven of ten jobs are the newest and three the oldest: fresh events are served at once, and the backlog shrinks all the
-- same. (New jobs join a list at its end, so its two ends tell fresh from old at no cost.)
local function pop_while_ramping(active, given, most, portion)
  local jobs = {}
  for at = given, given + most - 1 do
    local job
    if at % 10 < 7 then
      job = redis.call('RPOP', active) or take_turn(active, 'RPOP', 1, portion)[1] or redis.call('LPOP', active .. ':front')
    else
      job = redis.call('LPOP', active .. ':front') or take_turn(active, 'LPOP', 1, portion)[1] or redis.call('LPOP', active)
    end
    if not job then break end
    jobs[#jobs + 1] = job
  end
  return jobs
end

-- Takes up to so many ready jobs.
local function pop(active, admission, most, portion)
  spread(active)
  if admission.is_ramping then
    return pop_while_ramping(active, tonumber(redis.call('HGET', admission.ramps[1].gate, 'given')) or 0, most, portion)
  end
  local jobs = redis.call('LPOP', active .. ':front', most) or {}
  -- In few turns: each lane gives its part of what is wanted.
  while #jobs < most do
    local lanes = redis.call('LLEN', active .. ':lanes')
    if lanes == 0 then break end
    local some = take_turn(active, 'LPOP', math.max(1, math.floor((most - #jobs) / lanes)), portion)
    if #some == 0 then break end
    append(jobs, some)
  end
  return jobs
end

-- How many jobs are ready, wherever they wait; without those of the lanes in `held`, if that is given.
local function count_ready(active, held)
  local count = redis.call('LLEN', active) + redis.call('LLEN', active .. ':front')
  for _, name in ipairs(redis.call('LRANGE', active .. ':lanes', 0, -1)) do
    if not held or not held[name] then count = count + redis.call('LLEN', active .. ':lane:' .. name) end
  end
  return count
end

-- The job that waits first in each list.
local function first_ready(active)
  local lists = { active .. ':front', active }
  for _, name in ipairs(redis.call('LRANGE', active .. ':lanes', 0, -1)) do lists[#lists + 1] = active .. ':lane:' .. name end
  local jobs = {}
  for _, list in ipairs(lists) do jobs[#jobs + 1] = redis.call('LINDEX', list, 0) or nil end
  return jobs
end
