-- recovered: a job of a row is done that had failed before: what others wait for after a failure may be healed too, although no gate had
-- stopped. Those that would wait longest are due now, and their last attempt does not count. Each that is done releases as many again.
local RELEASED, LOOKED_AT, LONG = 2, 100, 10000
local scheduled, records = KEYS[3], KEYS[6]
local jobs = redis.call('ZREVRANGEBYSCORE', scheduled, '+inf', ms(now + LONG), 'LIMIT', 0, LOOKED_AT)
local due, given_back = {}, {}
for i, text in ipairs(read_records(records, jobs)) do
  local target = text and string.match(text, '^w (%l+)\n')
  if #due < 2 * RELEASED and target and QUEUES[target] then
    due[#due + 1] = ms(now)
    due[#due + 1] = jobs[i]
    given_back[#given_back + 1] = jobs[i]
    given_back[#given_back + 1] = without_last_attempt(text)
  end
end
call_with_all(given_back, 'HSET', records)
call_with_all(due, 'ZADD', scheduled)
if #due > 0 then redis.call('PUBLISH', KEYS[5], '') end
return answer()
