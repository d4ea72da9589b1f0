-- record: how the record of a job is read and written. This text stands before the scripts that touch records; record.rs explains the format:
--   1st line: state · 2nd line: c k e w a x f · 3rd line, perhaps, while it runs: c k e w of what arrived meanwhile
--
-- A record is one text, a field of the hash of all records; those of a whole group are read and written by one call each: what costs is the
-- number of calls, and what each key costs beside its content (a hash of its own, an expiry that is looked for).
local MOST_VALUES = 200 -- on the stack at once

-- The records of these jobs, in order; false where there is none.
local function read_records(records, jobs)
  local texts = {}
  for from = 1, #jobs, MOST_VALUES do
    local some = redis.call('HMGET', records, unpack(jobs, from, math.min(from + MOST_VALUES - 1, #jobs)))
    for at = 1, #some do texts[from + at - 1] = some[at] end
  end
  return texts
end

-- Calls a command with any number of values: an even number each time, so that pairs stay together.
local function call_with_all(values, command, ...)
  local first = { ... }
  for from = 1, #values, MOST_VALUES do
    local some = { unpack(first) }
    for at = from, math.min(from + MOST_VALUES - 1, #values) do some[#some + 1] = values[at] end
    redis.call(command, unpack(some))
  end
end

-- What a job is: everything after the first line.
local function after_state(text)
  local line_end = string.find(text, '\n', 1, true)
  return line_end and string.sub(text, line_end + 1) or text
end

local function is_held_by(text, token) return text and string.sub(text, 1, #token + 3) == 'r ' .. token .. ' ' end

-- Whether its worker or its handler vanished while the job ran the last time. Takes what is behind the state.
local function has_crashed(work)
  local crashes = string.match(work, '^[^\n]* (%d+) %S+$')
  return crashes and crashes ~= '0'
end

-- The record covers something more: its last entry, its kinds, its last event.
local function cover_more(job, covers, kinds, event)
  local old_kinds, rest = string.match(job, '^%S+ (%d+) %S+ (.*)$')
  return covers .. ' ' .. bit.bor(tonumber(old_kinds) or 0, tonumber(kinds)) .. ' ' .. event .. ' ' .. (rest or job)
end

-- The score of a lease is its expiry with a minus. A small sorted set is entered from its front: there new leases go, as expiries grow.
-- (As a text: to make one of a number is the dearest part of a call, and there is one number for all.)
local function score_of(expiry) return string.format('-%.0f', expiry) end
