-- report: what the calls of one process to the targets gave, gathered over a moment; stops the gates whose rules are met.
--
-- ARGV 4… for each gate: gate · answered · failed · failures in a row at the end · of these without a connection · of these without an answer ·
--         refused in a row at the end · throttled wait (-1 none) · fastest answer in milliseconds (-1 unknown) · why (of the last failure)
-- Failures in a row go on with those of other processes, unless something was answered in between.
local slot_length = math.floor(policy.window / SLOTS)

local function in_a_row(calls, field, tail, was_answered)
  if was_answered then
    redis.call('HSET', calls, field, tail)
    return tail
  end
  if tail == 0 then return tonumber(redis.call('HGET', calls, field)) or 0 end
  return redis.call('HINCRBY', calls, field, tail)
end

-- Calls without an answer, in a row for each gate of the target; of the other gates only what the window has seen.
local function silent_in_a_row(name, tail, was_answered)
  local calls, target = key(name .. ':calls'), target_of(name)
  if tail > 0 then redis.call('HSET', calls, 'silent_at', ms(now)) end
  local silent = in_a_row(calls, 'silent', tail, was_answered)
  for _, kind in ipairs({ 'read', 'write', 'login' }) do
    local other = target .. ':' .. kind
    local seen = other ~= name and redis.call('HMGET', key(other .. ':calls'), 'silent', 'silent_at') or {}
    local is_recent = seen[1] and seen[2] and not has_come(tonumber(seen[2]) + policy.window, policy.window)
    if is_recent then silent = silent + tonumber(seen[1]) end
  end
  return silent
end

local function count(name, at)
  local calls = key(name .. ':calls')
  local answered, failed = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local slot = math.floor(now / slot_length)
  if answered > 0 then redis.call('HINCRBY', calls, slot .. ':a', answered) end
  if failed > 0 then redis.call('HINCRBY', calls, slot .. ':f', failed) end
  local seen = { answered = 0, failed = 0 }
  for field, number in pairs(hash(name .. ':calls')) do
    local of, what = string.match(field, '^(%d+):(%a)$')
    -- A slot that is still to come was counted before the clock went back.
    if of and (tonumber(of) <= slot - SLOTS or tonumber(of) > slot) then
      redis.call('HDEL', calls, field)
    elseif what == 'a' then
      seen.answered = seen.answered + tonumber(number)
    elseif what == 'f' then
      seen.failed = seen.failed + tonumber(number)
    end
  end
  seen.row = in_a_row(calls, 'row', tonumber(ARGV[at + 3]), answered > 0)
  seen.connects = in_a_row(calls, 'connects', tonumber(ARGV[at + 4]), answered > 0)
  seen.silent = silent_in_a_row(name, tonumber(ARGV[at + 5]), answered > 0)
  seen.refused = in_a_row(calls, 'refused', tonumber(ARGV[at + 6]), answered > 0)
  seen.total = seen.answered + seen.failed
  redis.call('PEXPIRE', calls, math.max(policy.window * 2, 24 * HOUR))
  return seen
end

-- Logins are rare, one at a time and counted by the target: three failures are enough, and leave some of the minute's logins for the recovery.
local function longest_row(name, row)
  return name == 'docmost:login' and math.min(row, 3) or row
end

local function why_stop(name, seen, calls, share)
  if seen.connects >= longest_row(name, policy.connects) then return seen.connects .. ' calls in a row did not reach it' end
  if seen.silent >= policy.silences then return seen.silent .. ' calls in a row got no answer' end
  if seen.row >= longest_row(name, policy.row) then return seen.row .. ' calls in a row failed' end
  if seen.refused >= policy.refused then return 'our account was refused ' .. seen.refused .. ' times in a row' end
  if calls and seen.failed > 0 and seen.failed >= seen.total * share then return seen.failed .. ' of ' .. seen.total .. ' calls failed' end
end

local is_any_not_flowing = redis.call('EXISTS', NOT_FLOWING) == 1
for at = 4, #ARGV, 10 do
  local name, why = ARGV[at], ARGV[at + 9]
  -- No target keeps us away for longer: it is probed then.
  local throttled = math.min(tonumber(ARGV[at + 7]), policy.longest_asked)
  local gate = hash(name)
  if is_any_not_flowing then
    observe(target_of(name), {
      answered = ARGV[at + 1], failed = ARGV[at + 2], throttled = throttled, fastest = tonumber(ARGV[at + 8]),
    })
  end
  if not gate.state or gate.state == 'ramping' then
    local seen = count(name, at)
    local reason
    if gate.state then
      reason = why_stop(name, seen, seen.failed >= policy.ramp_failures, policy.ramp_share)
      if throttled >= 0 then pause(name, throttled) end
    else
      reason = why_stop(name, seen, seen.total >= policy.calls, policy.share)
    end
    if reason then
      stop(name, reason .. ': ' .. why)
    elseif throttled >= 0 and not gate.state then
      stop(name, 'it asked us to wait: ' .. why, throttled)
    end
  elseif throttled >= 0 and gate.manual ~= '1' and (not gate.next or is_due(gate) or now + throttled > tonumber(gate.next)) then
    local due = later(throttled)
    redis.call('HSET', key(name), 'next', ms(due), 'within', ms(due - now), 'asked', '1')
  end
end
if is_any_not_flowing then
  for _, name in ipairs(not_flowing()) do step(name) end
end
return answer()
