-- stats: the queue in numbers, all of one moment: a job on its way from one place to another is counted once, never twice or not at all.
-- Prepended: clock.lua, record.lua, lanes.lua and held.lua.
--
-- KEYS 1 active · 2 leases · 3 scheduled · 4 dead · 5 ledger · 6 paused · 7 suspects · 8 base of the gates
-- Answer: active · running · scheduled · dead · entries of the ledger · what the pause says, or nil ·
--         those of the active jobs that wait for a rule to be mended
local ready = count_ready(KEYS[1])
return {
  ready + redis.call('LLEN', KEYS[7]), redis.call('ZCARD', KEYS[2]), redis.call('ZCARD', KEYS[3]),
  redis.call('ZCARD', KEYS[4]), redis.call('XLEN', KEYS[5]), redis.call('GET', KEYS[6]),
  ready - count_ready(KEYS[1], held_lanes(KEYS[8])),
}
