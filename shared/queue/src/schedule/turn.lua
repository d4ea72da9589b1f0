-- turn: who does a task that is due from time to time. One replica at a time, once per slot, also across restarts. Prepended: clock.lua.
--
-- KEYS 1 what is known of the task: due, holder, until, within (the length of the lease or wait), memo
-- ARGV 1 verb · 2 this process · 3 lease or wait in ms · 4 length of a slot in ms (0: by hand) · 5 memo
--   take    takes the turn if it is due and nobody has it; the first slot begins now (5 = 'now') or one slot later
--   keep    prolongs the lease and writes the memo
--   done    ends the turn and the slot, and forgets the memo
--   leave   ends the turn, not the slot: somebody may take it up after the wait, with the memo
-- Answer: 1 or 0 · ms until it is worth asking again · memo · who has it
local key, verb, me = KEYS[1], ARGV[1], ARGV[2]
local span, slot = tonumber(ARGV[3]), tonumber(ARGV[4])
local stored = redis.call('HMGET', key, 'due', 'holder', 'until', 'within', 'memo')
local due, holder, held_until = tonumber(stored[1]), stored[2], tonumber(stored[3]) or 0
-- (Former versions did not write how long a turn is held.)
local is_held = holder and not has_come(held_until, tonumber(stored[4]) or math.huge)

local function write(name, number) redis.call('HSET', key, name, string.format('%.0f', number)) end
local function hold()
  write('until', now + span)
  write('within', span)
end

if verb == 'take' then
  if slot > 0 and (not due or due > now + slot) then
    due = ARGV[5] == 'now' and not due and now or now + slot
    write('due', due)
  end
  if slot > 0 and now < due then return { 0, due - now, '', '' } end
  if is_held and holder ~= me then return { 0, held_until - now, '', holder } end
  redis.call('HSET', key, 'holder', me)
  hold()
  return { 1, 0, stored[5] or '', me }
end

if holder ~= me then return { 0, 0, '', holder or '' } end
if verb == 'keep' then
  hold()
  redis.call('HSET', key, 'memo', ARGV[5])
elseif verb == 'leave' then
  redis.call('HSET', key, 'holder', '')
  hold()
else
  redis.call('HDEL', key, 'holder', 'until', 'within', 'memo')
  if slot > 0 then write('due', due + slot * (math.floor((now - due) / slot) + 1)) end
end
return { 1, 0, '', '' }
