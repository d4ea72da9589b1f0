//! `gates`: which targets get no calls at present and why; and stopping, ramping or releasing a
//! gate by hand.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use passerelle_queue::gate::{GateName, GateState, GateStatus, Incident, Operation};
use passerelle_queue::{ByHand, HeldTable};
use serde::Serialize;

use crate::arguments::By;
use crate::console::Console;
use crate::operator::Operator;
use crate::text::{Cell, Table, Text, Tone};
use crate::trouble::Trouble;

/// How many incidents are shown.
const INCIDENTS_SHOWN: usize = 10;

/// `gates …`.
#[derive(Debug, Subcommand)]
pub enum GatesVerb {
    /// Stops all jobs that need it, until you ramp or release it.
    #[command(after_help = "Example: passerelle gates stop docmost:write --why \"upgrade\"")]
    Stop(Hand),
    /// Lets a few jobs through at once, and more while all goes well, as after a recovery.
    #[command(after_help = "Example: passerelle gates ramp docmost:write --why \"upgrade done\"")]
    Ramp(Hand),
    /// Lets jobs through at once, without a ramp: what waits is sent as fast as the workers can.
    #[command(after_help = "Example: passerelle gates release docmost:write --why \"it works again\"")]
    Release(Hand),
    /// The former word for `stop`.
    #[command(
        hide = true,
        after_help = "Example: passerelle gates close docmost:write --why \"upgrade\""
    )]
    Close(Hand),
    /// The former word for `release`.
    #[command(
        hide = true,
        after_help = "Example: passerelle gates open docmost:write --why \"it works again\""
    )]
    Open(Hand),
}

/// Which gate, who and why.
#[derive(Debug, Args)]
pub struct Hand {
    /// docmost:write, docmost:read, docmost:login, baserow:read, baserow:write, smtp, slack or
    /// store.
    #[arg(value_parser = parse)]
    pub gate: GateName,
    /// Why; kept in the ledger and in the list of incidents.
    #[arg(long)]
    pub why: String,
    /// Who acts.
    #[command(flatten)]
    pub by: By,
}

#[derive(Debug, Serialize)]
struct Shown {
    gates: Vec<GateStatus>,
    /// Tables whose rule is broken.
    held_tables: Vec<HeldTable>,
    /// Jobs of the sync queue that wait, for whatever reason.
    waiting: u64,
    /// The latest, newest first.
    incidents: Vec<Incident>,
}

/// Shows the gates, after operating one if asked to.
pub async fn run(operator: &Operator, verb: Option<GatesVerb>, console: &mut Console) -> Result<(), Trouble> {
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
            console.note(&format!(
                "`gates {former}` is called `gates {now}` now; the next release no longer knows the former word"
            ));
        }
        operate(operator, operation, hand).await?;
    }
    let (gates, stats) = (operator.gates(), operator.queue.stats().await?);
    let shown = Shown {
        gates: gates.list().await?,
        held_tables: operator.queue.held_tables().await?,
        waiting: stats.active + stats.scheduled,
        incidents: gates.incidents(INCIDENTS_SHOWN).await?,
    };
    console.answer(&shown, in_words)
}

async fn operate(operator: &Operator, operation: Operation, hand: Hand) -> Result<(), Trouble> {
    let why = hand.why.trim();
    if why.is_empty() {
        let advice = "give a reason with --why: the ledger and the list of incidents keep it";
        return Err(Trouble::Usage(advice.to_owned()));
    }
    let by = operator.acting(hand.by)?;
    let act = ByHand {
        operation,
        by: &by,
        why,
    };
    Ok(operator.queue.operate_gate(&operator.gates(), hand.gate, act).await?)
}

/// A gate's name on the command line.
fn parse(text: &str) -> Result<GateName, String> {
    GateName::parse(text).ok_or_else(|| {
        let names: Vec<&str> = GateName::ALL.into_iter().map(GateName::as_str).collect();
        format!("there is no gate {text:?}; the gates are {}", names.join(", "))
    })
}

fn in_words(shown: &Shown) -> Text {
    let mut text = Text::from("Gates\n".to_owned());
    let mut gates = Table::plain(2);
    for gate in &shown.gates {
        gates.row([gate.gate.into(), state(gate), details(gate).into()]);
    }
    for held in &shown.held_tables {
        let (table, since, next, why) = (&held.table, held.since, held.next_probe, &held.why);
        gates.row([
            table.as_str().into(),
            Tone::Bad.of("held"),
            format!("its rule is broken since {since}, next probe {next}: {why}").into(),
        ]);
    }
    text.table(gates);
    let _ = writeln!(text, "\n{} jobs are waiting.", shown.waiting);
    if !shown.incidents.is_empty() {
        let _ = writeln!(text, "\nIncidents, newest first");
    }
    let mut incidents = Table::plain(2);
    for incident in &shown.incidents {
        incidents.row([incident.at.to_string().into(), incident.sentence().into()]);
    }
    text.table(incidents);
    text
}

fn state(gate: &GateStatus) -> Cell {
    match gate.state {
        GateState::Flowing => Tone::Good.of("flowing"),
        GateState::Ramping => Tone::Notice.of("ramping"),
        GateState::Probing => Tone::Notice.of("probing"),
        GateState::Stopped => Tone::Bad.of("stopped"),
    }
}

/// What there is to say of a gate that does not flow; empty for one that does.
pub(crate) fn details(gate: &GateStatus) -> String {
    let mut words = match gate.state {
        GateState::Flowing => return String::new(),
        GateState::Ramping => format!(
            "{} of its jobs at once, {} let through so far, ",
            gate.limit.unwrap_or(0),
            gate.given.unwrap_or(0)
        ),
        GateState::Probing | GateState::Stopped => String::new(),
    };
    if let Some(since) = gate.down_since {
        let _ = write!(words, "since {since}");
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
