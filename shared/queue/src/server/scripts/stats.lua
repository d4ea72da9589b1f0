-- stats: the queue in numbers, all of one moment: a job on its way from one place to another is counted once, never twice or not at all.
-- record.lua and lanes.lua stand before this text.
--
-- KEYS 1 active · 2 leases · 3 scheduled · 4 dead · 5 ledger · 6 paused · 7 suspects
-- Answer: active · running · scheduled · dead · entries of the ledger · what the pause says, or nil
return {
  count_ready(KEYS[1]) + redis.call('LLEN', KEYS[7]), redis.call('ZCARD', KEYS[2]), redis.call('ZCARD', KEYS[3]),
  redis.call('ZCARD', KEYS[4]), redis.call('XLEN', KEYS[5]), redis.call('GET', KEYS[6]),
}
