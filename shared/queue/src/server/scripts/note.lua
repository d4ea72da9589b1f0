-- note: writes a fact down that changes nothing in Redis. Prepended: ledger.lua.
--
-- KEYS 1 ledger · 2 life
-- ARGV 1 fact
return add_entry(KEYS[1], KEYS[2], { 'j', ARGV[1] })
