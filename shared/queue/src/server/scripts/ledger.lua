-- ledger: how an entry is added to the ledger. Prepended to the scripts that write facts.
--
-- The last pair of an entry is its number in this life of Redis' data. Numbers leave no gap: whoever reads the ledger sees by them that an entry
-- is missing, and how many are still to be read.

-- Takes pairs of a kind and a fact; returns the id. A refusal is the caller's, and leaves no number behind.
local function add_entry(ledger, life, pairs)
  local number = redis.call('HINCRBY', life, 'entries', 1)
  pairs[#pairs + 1] = 'e'
  pairs[#pairs + 1] = string.format('%.0f', number)
  local added = redis.pcall('XADD', ledger, '*', unpack(pairs))
  if type(added) ~= 'table' or not added.err then
    -- The writer rests only while the ledger is empty; whoever writes already looks again anyway. A group of deliveries is two entries, and
    -- one more for each time that its script was not known.
    if redis.call('XLEN', ledger) <= 4 then redis.pcall('PUBLISH', ledger .. ':wake', '') end
    return added
  end
  redis.call('HINCRBY', life, 'entries', -1)
  -- Refused again, in the words of Redis.
  return redis.call('XADD', ledger, '*', unpack(pairs))
end

-- Takes back the newest entry: it counts for nothing.
local function take_back(ledger, life, id)
  redis.call('XDEL', ledger, id)
  redis.pcall('HINCRBY', life, 'entries', -1)
end
