-- probe: a probe of each held table may be taken at once, and the waits begin anew: what led to the holds may be mended. clock.lua and held.lua
-- stand before this text.
--
-- KEYS 1 base of the gates
-- ARGV 1 the first wait for a probe, ms · 2 wake channel
-- Answer: how many tables are held
local count = 0
for name, it in pairs(held_lanes(KEYS[1])) do
  it.wait, it.next, it.within, count = tonumber(ARGV[1]), now, 0, count + 1
  keep_held(KEYS[1], name, it)
end
if count > 0 then redis.call('PUBLISH', ARGV[2], '') end
return count
