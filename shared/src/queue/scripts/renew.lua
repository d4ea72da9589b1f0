-- renew: prolongs leases, of running and of buffered jobs alike.
--
-- KEYS 1 leases · 2 record prefix
-- ARGV 1 lease milliseconds, then for each lease: job key · token
-- Answer: one digit per lease: 1 prolonged, 0 lost
local clock = redis.call('TIME')
local expiry = clock[1] * 1000 + math.floor(clock[2] / 1000) + tonumber(ARGV[1])
local answers, prolonged = {}, {}
for at = 2, #ARGV, 2 do
  local held = redis.call('HMGET', KEYS[2] .. ':' .. ARGV[at], 's', 't')
  local is_held = held[1] == 'r' and held[2] == ARGV[at + 1]
  answers[#answers + 1] = is_held and '1' or '0'
  if is_held then
    prolonged[#prolonged + 1] = expiry
    prolonged[#prolonged + 1] = ARGV[at]
  end
end
if #prolonged > 0 then redis.call('ZADD', KEYS[1], unpack(prolonged)) end
return table.concat(answers)
