-- enqueue: makes a job that is about no row, unless there is one of its key. Prepended: clock.lua.
--
-- KEYS 1 active · 2 records
-- ARGV 1 job key · 2 event id · 3 wake channel
-- Answer: 1 queued, 0 it was there already
-- It covers no entry of the ledger, and no kind of event.
local record = 'q\n0-0 0 ' .. ARGV[2] .. string.format(' %.0f 0 0 -', now)
if redis.call('HSETNX', KEYS[2], ARGV[1], record) == 0 then return 0 end
if redis.call('RPUSH', KEYS[1], ARGV[1]) == 1 then redis.call('PUBLISH', ARGV[3], '') end
return 1
