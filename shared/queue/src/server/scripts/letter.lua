-- letter: how a dead letter is kept and removed. This text stands before the scripts that do.
--
-- A job has one open letter. Beside the letters, a hash tells of each job: the id of its letter · how often it has died · the id of its first one.

-- Removes a letter; whether it was there.
local function remove_letter(dead, letters, id, job)
  if redis.call('ZREM', dead, id) == 0 then return false end
  redis.call('DECRBY', letters .. ':bytes', redis.call('STRLEN', letters .. ':' .. id))
  redis.call('DEL', letters .. ':' .. id)
  local open = redis.call('HGET', letters .. ':of', job)
  if open and string.sub(open, 1, #id + 1) == id .. ' ' then redis.call('HDEL', letters .. ':of', job) end
  return true
end

-- Keeps a letter in place of the one that its job has, if it has one, and counts on. What never was a job has no name.
local function keep_letter(dead, letters, id, job, letter)
  local open = job and redis.call('HGET', letters .. ':of', job)
  local former, deaths, first = string.match(open or '', '^(%S+) (%d+) (%S+)$')
  if former and remove_letter(dead, letters, former, job) then
    deaths = tonumber(deaths) + 1
    letter = string.sub(letter, 1, -2) .. ',"deaths":' .. deaths .. ',"first":"' .. first .. '"}'
  else
    deaths, first = 1, id
  end
  redis.call('ZADD', dead, 0, id)
  redis.call('SET', letters .. ':' .. id, letter)
  redis.call('INCRBY', letters .. ':bytes', #letter)
  if job then redis.call('HSET', letters .. ':of', job, id .. ' ' .. deaths .. ' ' .. first) end
end
