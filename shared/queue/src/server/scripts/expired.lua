-- expired: the jobs whose workers have vanished. It changes nothing but leases without a running job; settle decides what becomes of the rest.
-- record.lua stands before this text.
--
-- KEYS 1 leases · 2 records
-- ARGV 1 most jobs
-- Answer: for each job: key · record
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local jobs, answer = redis.call('ZREVRANGEBYSCORE', KEYS[1], '+inf', score_of(now), 'LIMIT', 0, tonumber(ARGV[1])), {}
for i, text in ipairs(read_records(KEYS[2], jobs)) do
  if text and string.sub(text, 1, 2) == 'r ' then
    answer[#answer + 1] = jobs[i]
    answer[#answer + 1] = text
  else
    redis.call('ZREM', KEYS[1], jobs[i])
  end
end
return answer
