-- discard: removes dead letters by an operator's decision, and writes that down. Prepended: letter.lua and ledger.lua.
--
-- KEYS 1 ledger · 2 dead · 3 letter prefix · 4 life
-- ARGV for each letter: id · job · fact
-- Answer: how many were there
local facts = {}
for at = 1, #ARGV, 3 do
  if redis.call('ZSCORE', KEYS[2], ARGV[at]) then
    facts[#facts + 1] = 'j'
    facts[#facts + 1] = ARGV[at + 2]
  end
end
local discarded = #facts / 2
if discarded == 0 then return 0 end
add_entry(KEYS[1], KEYS[4], facts)
for at = 1, #ARGV, 3 do remove_letter(KEYS[2], KEYS[3], ARGV[at], ARGV[at + 1]) end
return discarded
