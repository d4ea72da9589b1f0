-- weigh: how many dead letters each queue has and what they weigh, all at one moment.
--
-- KEYS for each queue: dead · bytes of its letters
local loads = {}
for at = 1, #KEYS, 2 do
  loads[at] = redis.call('ZCARD', KEYS[at])
  loads[at + 1] = tonumber(redis.call('GET', KEYS[at + 1]) or 0)
end
return loads
