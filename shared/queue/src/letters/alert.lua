-- alert: since when the present alert stands; the first to ask begins one. Prepended: clock.lua.
--
-- KEYS 1 the alert
-- ARGV 1 how long it stands, ms
local since = redis.call('GET', KEYS[1])
if not since then
  since = string.format('%.0f', now)
  redis.call('SET', KEYS[1], since)
end
expire_within(KEYS[1], tonumber(ARGV[1]))
return since
