-- expired: the jobs whose workers have vanished. It changes nothing but leases without a running job; settle decides what becomes of the rest.
--
-- KEYS 1 leases · 2 record prefix
-- ARGV 1 most jobs
-- Answer: for each job: key · token · c · k · e · w · a · x · f · o · b
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local answer = {}
for _, job in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, tonumber(ARGV[1]))) do
  local fields = redis.call('HMGET', KEYS[2] .. ':' .. job, 's', 't', 'c', 'k', 'e', 'w', 'a', 'x', 'f', 'o', 'b')
  if fields[1] == 'r' and fields[2] then
    answer[#answer + 1] = job
    for i = 2, 11 do answer[#answer + 1] = fields[i] end
  else
    redis.call('ZREM', KEYS[1], job)
  end
end
return answer
