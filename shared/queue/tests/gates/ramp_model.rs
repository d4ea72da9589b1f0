//! The script of the ramp beside a model of it.

use std::time::Duration;

use passerelle_queue::gate::CallResult;
use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::TestRunner;

use crate::ramping::{GATE, let_a_step_pass, limit, ramp, stepless};
use crate::world::{READ, World, failed};

/// The rules of a ramp, as the documentation has them.
#[derive(Debug)]
struct Model {
    limit: u32,
    best: Option<u64>,
}

/// What the calls of one step gave.
#[derive(Debug, Clone)]
struct Step {
    answered: usize,
    failed: usize,
    is_throttled: bool,
    fastest: u64,
    is_felt: bool,
}

impl Model {
    fn take(&mut self, step: &Step) {
        let best = self.best.unwrap_or(step.fastest);
        let is_known = step.answered >= 5;
        let slow_by = |factor: u64| is_known && step.fastest.max(25) > factor * best.max(25);
        let is_failing = step.failed * 20 >= step.answered + step.failed && step.failed > 0;
        if step.is_throttled || is_failing || slow_by(4) {
            self.limit = (self.limit / 2).max(1);
        } else if step.answered > 0 && step.is_felt && !slow_by(2) {
            self.limit = (self.limit * 2).min(4096);
        }
        self.best = Some(best.min(step.fastest));
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    let troubles = (0..3_usize, proptest::bool::weighted(0.1));
    let answers = (0..60_usize, 1..300_u64, proptest::bool::weighted(0.8));
    (troubles, answers).prop_map(|((failed, is_throttled), (answered, fastest, is_felt))| Step {
        answered,
        failed: if answered % 3 == 0 { failed } else { 0 },
        is_throttled,
        fastest,
        is_felt,
    })
}

#[tokio::test]
async fn the_script_moves_the_limit_as_the_model_does_whatever_the_calls_give() {
    const STEPS: usize = 300;
    let world = World::start(stepless()).unwrap();
    let replica = world.replica();
    ramp(&replica).await.unwrap();
    let mut model = Model { limit: 4, best: None };
    let mut runner = TestRunner::default();
    let steps = proptest::collection::vec(any_step(), STEPS)
        .new_tree(&mut runner)
        .unwrap()
        .current();
    for (number, it) in steps.iter().enumerate() {
        // Whether a gate stops is another rule: it counts the calls of many steps.
        let mut forget = redis::cmd("DEL");
        let _gone: u64 = world.ask(forget.arg(format!("{GATE}:calls"))).await.unwrap();
        let mut results = vec![failed(); it.failed];
        results.extend(vec![CallResult::Answered; it.answered]);
        if it.is_throttled {
            results.push(CallResult::Throttled(Some(Duration::ZERO)));
        }
        let_a_step_pass(&world).await.unwrap();
        if !it.is_felt {
            let mut unfelt = redis::cmd("HDEL");
            let _gone: u64 = world.ask(unfelt.arg(GATE).arg("pressed")).await.unwrap();
        }
        replica.gates.answered_in(READ, Duration::from_millis(it.fastest));
        for result in results {
            replica.gates.report(READ, result);
        }
        // A report without a result is not sent.
        if it.answered + it.failed == 0 && !it.is_throttled {
            replica.gates.report(READ, CallResult::Answered);
            model.take(&Step {
                answered: 1,
                ..it.clone()
            });
        } else {
            model.take(it);
        }
        replica.gates.flush().await;
        let limit = limit(&replica).await.unwrap();
        assert_eq!(limit, model.limit, "after {number}: {:?}", &steps[..=number]);
    }
}
