-- limit: how many calls at once are useful: hill climbing on the throughput, as the thread pool of .NET does it (Hellerstein, Morrison, Eilebrecht:
-- "Optimizing Concurrency Levels in the .NET ThreadPool", 2008). This text stands before permit.lua.
--
-- While the limit is felt, the calls that end are counted for a second at least. The limit becomes the smallest number whose rate is near the
-- best one known; from there its neighbours are tried, one second each, and again when what is known of them is a minute old.
--
-- Fields of the hash: limit · began, calls, slack: the count that is under way: since when (ms), calls that ended, and how often a permit was
--   taken that left others free, and nobody waited · rate:<limit>, at:<limit>: calls a second with this limit, and when that was measured (ms)
local START = 4
local COUNT = 1000 -- how long calls are counted, ms
local SETTLE = 400 -- until a lower limit is kept by all: permits change hands within 200 ms
local ENOUGH_CALLS = 40
local KNOWN_FOR = 60000 -- ms
local NEAR = 0.93 -- of the best rate
local MOST_SLACK = 0.1 -- of the calls

local function useful_limit(measured, most)
  return math.max(1, math.min(tonumber(redis.call('HGET', measured, 'limit')) or math.min(START, most), most))
end

-- Begins a count at this moment.
local function measure_anew(measured, at)
  redis.call('HSET', measured, 'began', string.format('%.0f', at), 'calls', 0, 'slack', 0)
  redis.call('PEXPIRE', measured, 3600000)
end

local function count_slack(measured) redis.call('HINCRBY', measured, 'slack', 1) end

-- The numbers that are tried: 1, 2, 3, 4, 6, 8, 12, 16, 24 … and the most.
local function neighbours(limit, most)
  local below, above, step = nil, nil, 1
  local at = 1
  while not above and at <= most do
    if at < limit then below = at end
    if at > limit then above = at end
    if at >= step * 4 then step = step * 2 end
    at = at + step
  end
  return below, above or (limit < most and most or nil)
end

local function next_limit(rates, limit, most)
  local best, smallest = 0, most
  for number, rate in pairs(rates) do
    if number <= most then best = math.max(best, rate) end
  end
  for number, rate in pairs(rates) do
    if rate >= best * NEAR then smallest = math.min(smallest, number) end
  end
  if smallest ~= limit then return smallest end
  local below, above = neighbours(limit, most)
  if above and not rates[above] then return above end
  if below and not rates[below] then return below end
  return limit
end

-- Counts a call that has ended. Answers the limit from now on.
local function count_call(measured, limit, most)
  local field = redis.call('HMGET', measured, 'began', 'calls', 'slack')
  local began, calls, slack = tonumber(field[1]), (tonumber(field[2]) or 0) + 1, tonumber(field[3]) or 0
  if not began or is_ahead(began - SETTLE) then
    measure_anew(measured, now)
    return limit
  end
  local took = now - began
  if took <= 0 then return limit end
  redis.call('HINCRBY', measured, 'calls', 1)
  if took < COUNT then return limit end
  if slack > calls * MOST_SLACK then
    measure_anew(measured, now)
    return limit
  end
  if calls < ENOUGH_CALLS then return limit end
  local rates, flat = {}, redis.call('HGETALL', measured)
  local known = {}
  for at = 1, #flat, 2 do known[flat[at]] = tonumber(flat[at + 1]) end
  for name, rate in pairs(known) do
    local number = tonumber(string.match(name, '^rate:(%d+)$'))
    if number and not has_come((known['at:' .. number] or 0) + KNOWN_FOR, KNOWN_FOR) then
      rates[number] = rate
    elseif number then
      redis.call('HDEL', measured, name, 'at:' .. number)
    end
  end
  local rate = calls * 1000 / took
  rates[limit] = rates[limit] and (rates[limit] + rate) / 2 or rate
  local chosen = next_limit(rates, limit, most)
  redis.call('HSET', measured, 'limit', chosen, 'rate:' .. limit, string.format('%.3f', rates[limit]), 'at:' .. limit, string.format('%.0f', now))
  measure_anew(measured, chosen == limit and now or now + SETTLE)
  return chosen
end
