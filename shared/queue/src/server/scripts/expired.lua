-- expired: the jobs whose workers have vanished. It changes nothing but leases without a running job; settle decides what becomes of the rest.
-- Prepended: clock.lua and record.lua.
--
-- KEYS 1 leases · 2 records
-- ARGV 1 most jobs · 2 the moment at which expired leases were seen: a clock that has jumped ahead since makes no further lease expired
-- Answer: for each job: key · record
local seen = math.min(now, tonumber(ARGV[2]))
local jobs, answer = redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', score_of(seen), 'LIMIT', 0, tonumber(ARGV[1])), {}
for i, text in ipairs(read_records(KEYS[2], jobs)) do
  if text and string.sub(text, 1, 2) == 'r ' then
    answer[#answer + 1] = jobs[i]
    answer[#answer + 1] = text
  else
    redis.call('ZREM', KEYS[1], jobs[i])
  end
end
return answer
