use passerelle_model::id::ProcessName;
use passerelle_queue::gate::GateName;
use passerelle_queue::{Oldest, Pause, QueueName, QueueStats, WorkerInfo};
use passerelle_store::{Counts, Deliveries, InStep};

use super::super::history::History;
use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_732_280_000_000);

fn before(seconds: u64) -> Timestamp {
    NOW.minus(Duration::from_secs(seconds))
}

/// A bridge with a worker, 1,204 pages and nothing to do.
fn idle() -> Overview {
    let worker = WorkerInfo {
        name: ProcessName::parse("worker-1").unwrap(),
        host: "host".to_owned(),
        pid: 1,
        started: before(3600),
        concurrency: 16,
        rules: None,
    };
    let work = Work {
        stats: QueueStats::default(),
        dead: 0,
        pauses: Vec::new(),
        oldest: Oldest::default(),
        gates: Vec::new(),
        workers: vec![worker],
        running: Vec::new(),
        parked: Vec::new(),
    };
    let ledger = Ledger {
        counts: Counts::default(),
        deliveries: None,
        went_back: None,
        in_step: InStep {
            pages: 1204,
            last_change: Some(before(12)),
        },
        sources: Vec::new(),
    };
    Overview {
        at: NOW,
        work: Ok(work),
        ledger: Ok(ledger),
        charts: History::default().charts(NOW),
    }
}

fn with(change: impl FnOnce(&mut Work)) -> Overview {
    let mut overview = idle();
    change(overview.work.as_mut().unwrap());
    overview
}

fn gate(state: GateState, next: Option<Timestamp>, by: &str) -> GateStatus {
    let mut gate = GateStatus::flowing(GateName::DocmostWrite);
    gate.state = state;
    gate.down_since = Some(before(245));
    gate.next_probe = next;
    gate.by = Some(by.to_owned());
    gate
}

fn told(overview: &Overview) -> [(Tone, String); 2] {
    Tongue::ALL.map(|tongue| {
        let Sentence { tone, text } = of(overview, tongue);
        (tone, text)
    })
}

fn english(overview: &Overview) -> String {
    of(overview, Tongue::English).text
}

#[test]
fn all_is_well_in_one_sentence() {
    let [(tone, english), (_, french)] = told(&idle());
    assert_eq!(tone, Tone::Well);
    assert_eq!(english, "All is well: 1,204 pages in step, last change 12 s ago.");
    assert_eq!(
        french,
        "Tout va bien\u{a0}: 1\u{202f}204 pages à jour, dernier changement il y a 12 s."
    );
}

#[test]
fn an_outage_says_who_is_away_how_many_wait_and_when_it_is_tried_again() {
    let overview = with(|work| {
        work.stats.active = 30;
        work.stats.scheduled = 6;
        work.gates = vec![
            gate(GateState::Ramping, None, "rule"),
            gate(GateState::Stopped, Some(NOW.plus(Duration::from_secs(20))), "rule"),
        ];
    });
    let [(tone, english), (_, french)] = told(&overview);
    assert_eq!(tone, Tone::Trouble);
    assert_eq!(
        english,
        "Docmost has been away for 4 min: 36 rows wait, nothing is lost, next try in 20 s."
    );
    assert_eq!(
        french,
        "Docmost est absent depuis 4 min\u{a0}: 36 lignes attendent, rien n’est perdu, prochain essai dans 20 s."
    );
}

#[test]
fn what_a_hand_has_stopped_is_no_outage() {
    let overview = with(|work| work.gates = vec![gate(GateState::Stopped, None, "camille")]);
    let [(tone, english), _] = told(&overview);
    assert_eq!(tone, Tone::Attention);
    assert!(english.contains("camille"), "{english}");
}

#[test]
fn the_worst_that_is_true_is_told() {
    let pause = Pause {
        since: before(60),
        by: "camille".to_owned(),
        why: "upgrade".to_owned(),
    };
    let mut overview = with(|work| {
        work.dead = 3;
        work.stats.active = 2;
    });
    assert!(
        english(&overview).starts_with("3 dead letters"),
        "{}",
        english(&overview)
    );
    let change = |overview: &mut Overview, change: fn(&mut Work)| change(overview.work.as_mut().unwrap());
    change(&mut overview, |work| work.oldest.queued = Some(before(600)));
    assert!(english(&overview).contains("10 min"), "{}", english(&overview));
    change(&mut overview, |work| {
        work.gates = vec![gate(GateState::Ramping, None, "rule")];
    });
    assert!(english(&overview).contains("Docmost is back"), "{}", english(&overview));
    change(&mut overview, |work| work.workers.clear());
    assert!(english(&overview).starts_with("No worker"), "{}", english(&overview));
    overview.work.as_mut().unwrap().pauses = vec![(QueueName::Sync, pause)];
    assert!(english(&overview).contains("camille"), "{}", english(&overview));
    overview.ledger.as_mut().unwrap().deliveries = Some(Deliveries {
        answered: 5,
        recorded: 3,
        on_the_way: 0,
        missing: 2,
    });
    assert!(english(&overview).starts_with("2 deliveries"), "{}", english(&overview));
    overview.ledger = Err("no connection".to_owned());
    assert!(english(&overview).contains("no connection"), "{}", english(&overview));
    overview.work = Err("refused".to_owned());
    assert!(english(&overview).contains("Redis"), "{}", english(&overview));
}
