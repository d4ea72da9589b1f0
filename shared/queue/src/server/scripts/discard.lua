-- discard: removes dead letters by an operator's decision, and writes that down.
--
-- KEYS 1 ledger · 2 dead · 3 letter prefix
-- ARGV for each letter: id · fact
-- Answer: how many were there
local facts = {}
for at = 1, #ARGV, 2 do
  if redis.call('ZSCORE', KEYS[2], ARGV[at]) then
    facts[#facts + 1] = 'j'
    facts[#facts + 1] = ARGV[at + 1]
  end
end
if #facts == 0 then return 0 end
redis.call('XADD', KEYS[1], '*', unpack(facts))
for at = 1, #ARGV, 2 do
  redis.call('ZREM', KEYS[2], ARGV[at])
  redis.call('DECRBY', KEYS[3] .. ':bytes', redis.call('STRLEN', KEYS[3] .. ':' .. ARGV[at]))
  redis.call('DEL', KEYS[3] .. ':' .. ARGV[at])
end
return #facts / 2
