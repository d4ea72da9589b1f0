-- hold: the rule of a job's table cannot be carried out, for whichever row: its lane is held. clock.lua, record.lua, lanes.lua and held.lua
-- stand before this text.
--
-- KEYS 1 base of the gates
-- ARGV 1 job · 2 why · 3 the first wait for a probe, ms · 4 the longest, ms
-- Answer: since when the lane is held
local job, why, first, longest = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local name = lane_of(job)
local it = held_lanes(KEYS[1])[name]
if not it then
  it = { since = now, wait = first }
elseif it.job == job then
  it.wait = math.min(it.wait * 2, longest)
else
  -- It was under way when the lane was held.
  return string.format('%.0f', it.since)
end
it.job, it.why, it.next, it.within = nil, why, now + it.wait, it.wait
keep_held(KEYS[1], name, it)
return string.format('%.0f', it.since)
