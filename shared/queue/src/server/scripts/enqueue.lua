-- enqueue: makes a job that is about no row, unless there is one of its key.
--
-- KEYS 1 active · 2 records
-- ARGV 1 job key · 2 event id · 3 wake channel
-- Answer: 1 queued, 0 it was there already
local clock = redis.call('TIME')
local now = clock[1] .. string.format('%03d', math.floor(clock[2] / 1000))
-- It covers no entry of the ledger, and no kind of event.
local record = 'q\n0-0 0 ' .. ARGV[2] .. ' ' .. now .. ' 0 0 -'
if redis.call('HSETNX', KEYS[2], ARGV[1], record) == 0 then return 0 end
if redis.call('RPUSH', KEYS[1], ARGV[1]) == 1 then redis.call('PUBLISH', ARGV[3], '') end
return 1
