//! `gates`: which targets get no calls at present and why; and stopping, ramping or releasing a gate by hand.

use std::fmt::Write as _;

use passerelle_model::id::ProcessName;
use passerelle_queue::gate::{GateName, GatePolicy, GateState, GateStatus, Gates, Incident, Operation};
use serde::Serialize;

use crate::Console;
use crate::bridge::Bridge;
use crate::cli::{ByHand, GatesVerb};
use crate::trouble::Trouble;

/// How many incidents are shown.
const INCIDENTS_SHOWN: usize = 10;

/// The answer.
#[derive(Debug, Serialize)]
struct Shown {
    gates: Vec<GateStatus>,
    /// Jobs of the sync queue that wait, whatever for.
    waiting: u64,
    /// The latest, newest first.
    incidents: Vec<Incident>,
}

/// Shows the gates, after changing one if asked to. `policy` gives the ramp its length and rate.
pub async fn run(
    bridge: &Bridge,
    (verb, policy): (Option<GatesVerb>, GatePolicy),
    user: Option<String>,
    json: bool,
    console: &mut Console,
) -> Result<(), Trouble> {
    let gates = Gates::new(bridge.redis.clone(), ProcessName::unique("operator"), policy);
    if let Some(verb) = verb {
        let (operation, hand, former) = match verb {
            GatesVerb::Stop(hand) => (Operation::Stop, hand, None),
            GatesVerb::Ramp(hand) => (Operation::Ramp, hand, None),
            GatesVerb::Release(hand) => (Operation::Release, hand, None),
            GatesVerb::Close(hand) => (Operation::Stop, hand, Some("close")),
            GatesVerb::Open(hand) => (Operation::Release, hand, Some("open")),
        };
        if let Some(former) = former {
            let now = operation.as_str();
            console.complain(&format!(
                "`gates {former}` is called `gates {now}` now; the next release no longer knows the former word"
            ));
        }
        operate((bridge, &gates), operation, hand, user).await?;
    }
    let stats = bridge.queue.stats().await?;
    let shown = Shown {
        gates: gates.list().await?,
        waiting: stats.active + stats.scheduled,
        incidents: gates.incidents(INCIDENTS_SHOWN).await?,
    };
    console.tell(json, &shown, in_words)
}

async fn operate(
    (bridge, gates): (&Bridge, &Gates),
    operation: Operation,
    hand: ByHand,
    user: Option<String>,
) -> Result<(), Trouble> {
    let why = hand.why.trim();
    if why.is_empty() {
        return Err(Trouble::Usage(
            "give a reason with --why: the ledger and the list of incidents keep it".to_owned(),
        ));
    }
    let by = hand.by.who(user)?;
    gates.operate(hand.gate, operation, &by, why).await?;
    let gate = format!("gate/{}", hand.gate);
    Ok(bridge.queue.note_act(&gate, operation.as_str(), &by, why).await?)
}

/// A gate's name on the command line.
pub fn parse(text: &str) -> Result<GateName, String> {
    GateName::parse(text).ok_or_else(|| {
        let names: Vec<&str> = GateName::ALL.into_iter().map(GateName::as_str).collect();
        format!("there is no gate {text:?}; there are {}", names.join(", "))
    })
}

fn in_words(shown: &Shown) -> String {
    let mut text = String::from("Gates\n");
    for gate in &shown.gates {
        let _ = writeln!(text, "  {:<14} {}", gate.gate, state_in_words(gate));
    }
    let _ = writeln!(text, "\n{} jobs are waiting.", shown.waiting);
    if !shown.incidents.is_empty() {
        text.push_str("\nIncidents, newest first\n");
    }
    for incident in &shown.incidents {
        let _ = writeln!(text, "  {}  {}", incident.at, incident.sentence());
    }
    text
}

fn state_in_words(gate: &GateStatus) -> String {
    let mut words = match gate.state {
        GateState::Flowing => return "flowing".to_owned(),
        GateState::Ramping => format!(
            "ramping, {} jobs let through so far, {:.1} per second at present",
            gate.given.unwrap_or(0),
            gate.rate.unwrap_or(0.0)
        ),
        GateState::Probing => "probing".to_owned(),
        GateState::Stopped => "stopped".to_owned(),
    };
    if let Some(since) = gate.down_since {
        let _ = write!(words, ", since {since}");
    }
    match (gate.state, gate.next_probe) {
        (GateState::Stopped, Some(next)) => {
            let _ = write!(words, ", next probe {next}");
        }
        (GateState::Stopped, None) => words.push_str(", until you ramp or release it"),
        _ => {}
    }
    if let Some(why) = &gate.why {
        let _ = write!(words, ": {why}");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_gate_is_answered_with_the_right_names() {
        assert_eq!(parse("docmost:write"), Ok(GateName::DocmostWrite));
        assert!(parse("docmost").unwrap_err().contains("docmost:login"));
    }
}
