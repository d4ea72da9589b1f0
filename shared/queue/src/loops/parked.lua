-- parked: which rows are parked. Prepended: clock.lua. It changes nothing.
--
-- KEYS 1 set of parked rows by the end of their cool-down · 2 the same by its beginning
-- ARGV 1 a row ('' for all) · 2 most rows
-- Answer: for each row: row · until · milliseconds that are left
local rows = ARGV[1] ~= '' and { ARGV[1] } or redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%.0f', now), '+inf', 'LIMIT', 0, tonumber(ARGV[2]))
local answer = {}
for _, row in ipairs(rows) do
  local finish = tonumber(redis.call('ZSCORE', KEYS[1], row) or 0)
  local began = tonumber(redis.call('ZSCORE', KEYS[2], row) or 0)
  if finish > now and not is_ahead(began) then
    answer[#answer + 1] = row
    answer[#answer + 1] = finish
    answer[#answer + 1] = finish - now
  end
end
return answer
