-- life: what is recorded of this life of Redis' data; begins a new life if the recorded one is the one to be replaced.
--
-- KEYS 1 life · 2 ledger
-- ARGV 1 'read' or 'begin' · 2 a stream id: which entry is the newest up to it; '+' for any · 3 layout that this program writes
--      and for 'begin': 4 epoch to be replaced ('' where none is recorded) · 5 new epoch · 6 the epoch that the caller knows from before, if any ·
--      7 how many deliveries of that one were answered, as far as the caller knows
-- Answer: epoch · answered · layout · answered at the beginning · last entry of the time before · epoch before · known of it · number of the last
--      entry · newest entry
local life, ledger = KEYS[1], KEYS[2]
local verb, up_to, layout = ARGV[1], ARGV[2], tonumber(ARGV[3])
local function newest(id) return (redis.call('XREVRANGE', ledger, id, '-', 'COUNT', 1)[1] or {})[1] or '' end

local found = redis.call('HMGET', life, 'epoch', 'layout', 'former', 'known', 'answered')
local epoch, stored_layout = found[1], tonumber(found[2] or '0')
if verb == 'begin' and stored_layout <= layout then
  local replaced, new, former, known = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
  if (epoch or '') == replaced then
    redis.call('HSET', life, 'epoch', new, 'layout', layout, 'base', found[5] or '0', 'after', newest('+'), 'former', former, 'known', known)
  else
    -- Somebody else was faster. What the caller knows of the life before may be more.
    if found[3] == former and tonumber(known) > tonumber(found[4] or '0') then redis.call('HSET', life, 'known', known) end
    if stored_layout < layout then redis.call('HSET', life, 'layout', layout) end
  end
end
local now = redis.call('HMGET', life, 'epoch', 'answered', 'layout', 'base', 'after', 'former', 'known', 'entries')
for at = 1, 8 do now[at] = now[at] or '' end
now[9] = newest(up_to)
return now
