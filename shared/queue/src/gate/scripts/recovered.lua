-- recovered: a job of a row is done that had failed before: what others wait for after a failure may be healed too, although no gate had
-- stopped. Those that would wait longest are due now, and their last attempt does not count. Each that is done releases as many again.
local RELEASED, LOOKED_AT, LONG = 2, 100, 10000
local jobs = redis.call('ZREVRANGEBYSCORE', KEYS[3], '+inf', ms(now + LONG), 'LIMIT', 0, LOOKED_AT)
local due, given_back = {}, {}
for i, text in ipairs(read_records(KEYS[6], jobs)) do
  local target = text and string.match(text, '^w (%l+)\n')
  if #due < RELEASED and target and QUEUES[target] then
    due[#due + 1] = jobs[i]
    given_back[jobs[i]] = text
  end
end
make_due(1, due, given_back)
return answer()
