-- switch: pauses a queue or ends its pause, and writes that down in the same step. Prepended: ledger.lua.
--
-- KEYS 1 paused · 2 ledger · 3 life
-- ARGV 1 who and why ('' ends the pause) · 2 fact · 3 wake channel
-- Answer: whether it was paused before
local was_paused = redis.call('EXISTS', KEYS[1])
if ARGV[1] ~= '' then
  add_entry(KEYS[2], KEYS[3], { 'j', ARGV[2] })
  redis.call('SET', KEYS[1], ARGV[1])
elseif was_paused == 1 then
  add_entry(KEYS[2], KEYS[3], { 'j', ARGV[2] })
  redis.call('DEL', KEYS[1])
  redis.call('PUBLISH', ARGV[3], '')
end
return was_paused
