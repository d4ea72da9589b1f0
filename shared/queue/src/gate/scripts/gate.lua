-- gate: the states of gates and every transition between them. Each script of this folder that changes a gate begins with
-- clock.lua and this text.
--
-- Keys, all under KEYS[1] (the base):
--   <base>:closed            set of the gates that do not flow; while it is missing, a fetch checks nothing else (its name is older than the
--                            states' names, and stays so that versions can work side by side)
--   <base>:<gate>            hash, exists only while the gate does not flow
--   <base>:<gate>:calls      hash, counts of calls by slots of time, and failures in a row
--   <base>:<gate>:hours      hash, milliseconds that the gate was stopped, by the hour
--   <base>:incident:<target> hash, exists while an outage of the target lasts
--   <base>:incident:<target>:<cause>  hash, exists while jobs fail again and again of one cause although no gate stopped
--   <base>:failing           set of `<target>:<cause>`: the incidents of the second kind that last
--   <base>:incidents         list of what happened, newest first
-- KEYS 2… for each queue (sync, mail, slack): active · scheduled · dead · wake channel · records
-- ARGV 1 policy (JSON, milliseconds) · 2 process · 3 chance from 0 to 1, then the script's own
--
-- Fields of a gate: state (stopped, probing, ramping) · since · why · by (rule, or who) · down (when the trouble began) ·
--   stopped_from (closed_from in older versions) · next, within, wait (when the next probe may begin, and
--   how long before that this was written; the wait that led to it) · asked ('1': the target named the time) ·
--   manual ('1': no probing) · holder, lease, phase (health, job), phase_since, job, job_since ·
--   given (jobs that the ramp let through), and the fields of ramp.lua · resume, pause (no job before it, and how long before that this was
--   written: the target asked for a pause) · began, length, rate, tokens, filled (the ramp as workers of the release before keep it)
local base, policy, process, chance = KEYS[1], cjson.decode(ARGV[1]), ARGV[2], tonumber(ARGV[3])
-- Jobs in flight, over all replicas, with which a ramp begins. (admit.lua has it too.)
local RAMP_START = 4
local KEPT_INCIDENTS, KEPT_HOURS, HOUR, SLOTS = 1000, 800, 3600000, 6
-- Waits that are ended at once; those behind them are ended by time.
local MOST_ENDED = 10000
local QUEUES = { docmost = 0, baserow = 0, smtp = 1, slack = 2, store = 0 }

local happened = {}

local function key(name) return base .. ':' .. name end
local NOT_FLOWING, FAILING = key('closed'), key('failing')
local function target_of(name) return string.match(name, '^[^:]+') end
local function queue_key(target, part) return KEYS[1 + QUEUES[target] * 5 + part] end
local function ms(number) return string.format('%.0f', number) end

local function hash(name)
  local flat, fields = redis.call('HGETALL', key(name)), {}
  for at = 1, #flat, 2 do fields[flat[at]] = flat[at + 1] end
  fields.stopped_from = fields.stopped_from or fields.closed_from
  return fields
end

local function is_quiet()
  local incidents = {}
  for target, _ in pairs(QUEUES) do incidents[#incidents + 1] = key('incident:' .. target) end
  return redis.call('EXISTS', NOT_FLOWING, FAILING, unpack(incidents)) == 0
end

local function not_flowing(target)
  local gates = {}
  local names = redis.call('SMEMBERS', NOT_FLOWING)
  table.sort(names)
  for _, name in ipairs(names) do
    if not target or target_of(name) == target then gates[#gates + 1] = name end
  end
  return gates
end

local function wake(target) redis.call('PUBLISH', queue_key(target, 4), '') end

-- Writes an incident: exactly once, because it is part of the change itself.
local function note(fact)
  fact.at = now
  local text = cjson.encode(fact)
  redis.call('LPUSH', key('incidents'), text)
  redis.call('LTRIM', key('incidents'), 0, KEPT_INCIDENTS - 1)
  happened[#happened + 1] = text
end

local function backlog(target)
  return count_ready(queue_key(target, 1)) + redis.call('ZCARD', queue_key(target, 2))
end

-- Opens an incident, unless it lasts already.
local function begin(incident, target, why, of)
  if redis.call('HSETNX', key(incident), 'since', ms(now)) == 0 then return end
  redis.call('HSET', key(incident), 'why', why, 'digest', ms(now), 'dead', redis.call('ZCARD', queue_key(target, 3)))
  note({ kind = 'opened', target = target, gate = of.gate, cause = of.cause, why = why, held = backlog(target) })
end

-- Adds a stretch of time without flow to the hours that it touches.
local function account(name, from, to)
  local hours = key(name .. ':hours')
  local first = math.max(math.floor(from / HOUR), math.floor(to / HOUR) - KEPT_HOURS)
  for hour = first, math.floor(to / HOUR) do
    local begin, finish = math.max(from, hour * HOUR), math.min(to, (hour + 1) * HOUR)
    if finish > begin then redis.call('HINCRBY', hours, ms(hour), ms(finish - begin)) end
  end
  for _, hour in ipairs(redis.call('HKEYS', hours)) do
    if tonumber(hour) < math.floor(now / HOUR) - KEPT_HOURS then redis.call('HDEL', hours, hour) end
  end
end

local function clear_probe(name) redis.call('HDEL', key(name), 'holder', 'lease', 'phase', 'phase_since', 'job', 'job_since') end

-- Chance lengthens a wait, by a tenth at most, and never shortens it.
local function later(wait) return math.floor(now + wait * (1 + 0.1 * chance)) end

-- How long ago something was.
local function since(moment) return math.max(0, now - tonumber(moment)) end

-- Whether a stopped gate may be probed. (Former versions did not write `within`.)
local function is_due(gate)
  local longest = (gate.asked == '1' and policy.longest_asked or policy.longest) * 1.1
  return has_come(tonumber(gate.next), tonumber(gate.within) or longest)
end

-- Stops a flowing or ramping gate. `asked` is the wait that the target named, if it did.
local function stop(name, why, asked)
  local gate, target = hash(name), target_of(name)
  local wait = tonumber(gate.wait) or policy.first
  if gate.state == 'ramping' then wait = math.min(wait * 2, policy.longest) end
  local due = later(asked or wait)
  for _, other in ipairs(not_flowing(target)) do
    local sibling = hash(other)
    -- One probe answers for all gates of a target.
    local is_waiting = sibling.next and sibling.manual ~= '1' and not is_due(sibling)
    if not asked and other ~= name and is_waiting and sibling.asked ~= '1' then
      wait, due = math.max(wait, tonumber(sibling.wait)), math.max(due, tonumber(sibling.next))
    end
  end
  redis.call('HSET', key(name), 'state', 'stopped', 'since', ms(now), 'why', why, 'by', 'rule', 'down', gate.down or ms(now),
    'stopped_from', ms(now), 'next', ms(due), 'within', ms(due - now), 'wait', ms(wait), 'asked', asked and '1' or '0')
  redis.call('SADD', NOT_FLOWING, name)
  redis.call('DEL', key(name .. ':calls'))
  note({ kind = 'stopped', target = target, gate = name, why = why, next = due })
  begin('incident:' .. target, target, why, { gate = name })
end

-- A probe failed: the next one comes later.
local function stop_again(name, gate, why)
  local wait, due = math.min(tonumber(gate.wait) * 2, policy.longest), tonumber(gate.next)
  if gate.asked ~= '1' or is_due(gate) then due = later(wait) end
  redis.call('HSET', key(name), 'state', 'stopped', 'why', why, 'next', ms(due), 'within', ms(due - now), 'wait', ms(wait),
    'asked', due > later(wait) and '1' or '0')
  clear_probe(name)
end

-- The record of a job whose last attempt does not count any more.
local function without_last_attempt(text)
  return (string.gsub(text, ' (%d+)( %d+ %S+)$', function(attempts, rest)
    return ' ' .. ms(math.max(0, tonumber(attempts) - 1)) .. rest
  end))
end

-- Jobs of a queue are due now. Those with their record in `given_back` get their last attempt back.
local function make_due(at, jobs, given_back)
  local scores, records = {}, {}
  for _, job in ipairs(jobs) do
    scores[#scores + 1] = ms(now)
    scores[#scores + 1] = job
    if given_back[job] then
      records[#records + 1] = job
      records[#records + 1] = without_last_attempt(given_back[job])
    end
  end
  call_with_all(records, 'HSET', KEYS[at + 5])
  call_with_all(scores, 'ZADD', KEYS[at + 2])
  if #jobs > 0 then redis.call('PUBLISH', KEYS[at + 4], '') end
end

-- What waits because of this target alone is due now, in whichever queue. `only_held`: without what has failed while its gate was flowing,
-- whose attempts count. With them, each gets its last attempt back: the trouble that stopped the gate had failed it, or it is tried earlier
-- than it would be. Else a target that goes up and down would use up the attempts of its jobs.
local function end_waits(target, only_held)
  local held, counted = 'w held ' .. target .. '\n', not only_held and 'w ' .. target .. '\n'
  for queue = 0, 2 do
    local at = 1 + queue * 5
    local scheduled, records = KEYS[at + 2], KEYS[at + 5]
    local jobs = redis.call('ZRANGEBYSCORE', scheduled, '(' .. ms(now), '+inf', 'LIMIT', 0, MOST_ENDED)
    local due, given_back = {}, {}
    for i, text in ipairs(read_records(records, jobs)) do
      local state = text and string.match(text, '^[^\n]*\n')
      if state and (state == held or state == counted) then due[#due + 1] = jobs[i] end
      if state and state == counted then given_back[jobs[i]] = text end
    end
    make_due(at, due, given_back)
  end
end

local function start_ramp(name, gate, by, why)
  if gate.stopped_from then account(name, tonumber(gate.stopped_from), now) end
  clear_probe(name)
  redis.call('HDEL', key(name), 'stopped_from', 'closed_from', 'next', 'within', 'asked', 'manual', 'resume', 'pause', 'best', 'pressed',
    'troubled', 'answered', 'failed', 'throttled', 'fastest')
  redis.call('HSET', key(name), 'state', 'ramping', 'since', ms(now), 'why', why, 'by', by, 'down', gate.down or ms(now), 'given', '0',
    'wait', gate.wait or ms(policy.first), 'limit', ms(RAMP_START), 'stepped', ms(now))
  -- Workers of the release before, beside which this one may run, ramp for 120 s up to 20 jobs a second.
  redis.call('HSET', key(name), 'began', ms(now), 'length', '120000', 'rate', '0.02', 'tokens', '0', 'filled', ms(now))
  redis.call('SADD', NOT_FLOWING, name)
  redis.call('DEL', key(name .. ':calls'))
  local incident = key('incident:' .. target_of(name))
  if redis.call('HEXISTS', incident, 'since') == 1 then redis.call('HSET', incident, 'recovered', ms(now)) end
  note({ kind = 'ramping', target = target_of(name), gate = name, why = why })
  end_waits(target_of(name))
  wake(target_of(name))
end

local function flow(name, gate, why)
  if gate.stopped_from then account(name, tonumber(gate.stopped_from), now) end
  redis.call('DEL', key(name), key(name .. ':calls'))
  redis.call('SREM', NOT_FLOWING, name)
  note({ kind = 'flowing', target = target_of(name), gate = name, why = why, down_ms = since(gate.down or now), given = tonumber(gate.given) or 0 })
  wake(target_of(name))
end

-- What every script answers: the gates that do not flow, as JSON, then what happened.
local function answer()
  local gates = {}
  for _, name in ipairs(not_flowing()) do gates[name] = hash(name) end
  local lines = { ms(now), cjson.encode(gates) }
  for _, fact in ipairs(happened) do lines[#lines + 1] = fact end
  return lines
end
