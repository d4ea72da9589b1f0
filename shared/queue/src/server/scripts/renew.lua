-- renew: prolongs leases, of running and of buffered jobs alike. Prepended: clock.lua and record.lua.
--
-- KEYS 1 leases · 2 records
-- ARGV 1 lease milliseconds · 2 number of leases n, then n job keys, then n tokens
-- Answer: one digit per lease: 1 prolonged, 0 lost
local score = score_of(now + tonumber(ARGV[1]))
local number, answers, prolonged = tonumber(ARGV[2]), {}, {}
for i, text in ipairs(read_records(KEYS[2], { unpack(ARGV, 3, 2 + number) })) do
  local is_held = is_held_by(text, ARGV[2 + number + i])
  answers[i] = is_held and '1' or '0'
  if is_held then
    prolonged[#prolonged + 1] = score
    prolonged[#prolonged + 1] = ARGV[2 + i]
  end
end
call_with_all(prolonged, 'ZADD', KEYS[1])
return table.concat(answers)
