-- lock: what one process has at a time; it expires when its holder says nothing. Prepended: clock.lua.
--
-- KEYS 1 the lock
-- ARGV 1 take (or renew) or let_go · 2 the caller · 3 how long it lasts, ms
-- Answer: 1 if it is, or was, the caller's
local verb, me, life = ARGV[1], ARGV[2], tonumber(ARGV[3])
local holder = redis.call('GET', KEYS[1])
if verb == 'let_go' then return holder == me and redis.call('DEL', KEYS[1]) or 0 end
if holder and holder ~= me then
  expire_within(KEYS[1], life)
  return 0
end
redis.call('SET', KEYS[1], me, 'PX', life)
return 1
