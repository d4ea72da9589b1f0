-- oldest: the records of the jobs that wait first, of one moment. Prepended: record.lua and lanes.lua.
--
-- KEYS 1 active · 2 records
-- Answer: for each list of ready jobs that is not empty: key · record (nil where there is none)
local answer, jobs = {}, first_ready(KEYS[1])
for i, text in ipairs(read_records(KEYS[2], jobs)) do
  answer[#answer + 1] = jobs[i]
  answer[#answer + 1] = text
end
return answer
