//! `stats`: the conservation line.

use passerelle_model::event::Disposition::{Closed, Sync};
use passerelle_model::ledger::Verdict;
use passerelle_model::outcome::Outcome;
use passerelle_ops::{Console, Screen};
use tokio_util::sync::CancellationToken;

use crate::desk::{Desk, accepted, at, attempt, delivery};

#[tokio::test]
async fn the_numbers_add_up_and_say_so() {
    let desk = Desk::new().unwrap();
    let history = vec![
        accepted(1, "e1", &[(5, Sync), (6, Sync), (7, Closed(Outcome::Echo))]).unwrap(),
        attempt(2, 1, 1, Verdict::Done(Outcome::Synced)).unwrap(),
    ];
    desk.remember(history).await.unwrap();
    let said = desk.passerelle(&["stats"]).await;
    assert_eq!(said.code, 0, "{}", said.err);
    insta::assert_snapshot!(said.out);

    let said = desk.passerelle(&["--json", "stats"]).await;
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (&report["items"], &report["open"], &report["missing"]),
        (&3.into(), &1.into(), &0.into())
    );
}

#[tokio::test]
async fn wrong_settings_are_named_with_exit_code_two() {
    let (out, err) = (Box::new(std::io::sink()), Box::new(std::io::sink()));
    let mut console = Console::new(out, err, Screen::new(false), CancellationToken::new());
    let reader = passerelle_model::config::Reader::from_pairs([("DATABASE_URL", "mysql://nowhere")]);
    let arguments = ["passerelle", "stats"].map(Into::into);
    assert_eq!(passerelle_ops::run(arguments, reader, &mut console).await, 2);
}

#[tokio::test]
async fn deliveries_that_redis_lost_are_named_by_their_number_in_stats_and_doctor() {
    let desk = Desk::new().unwrap();
    let queue = desk.queue().unwrap();
    desk.remember(Vec::new()).await.unwrap();
    let accept = async |number: u64| {
        let event = delivery(&format!("e{number}"), at(0), &[(number, Sync)]).unwrap();
        let _durable = queue.accept(event).await.unwrap();
    };
    accept(1).await;
    let said = desk.passerelle(&["stats"]).await;
    assert!(
        said.out
            .contains("1 answered = 1 recorded + 0 on the way: nothing is lost"),
        "{}",
        said.out
    );
    for number in 2..=4 {
        accept(number).await;
    }
    let mut redis = redis::Client::open(desk.redis.url()).unwrap().get_connection().unwrap();
    redis::cmd("DEL").arg("{bridge}:ledger").exec(&mut redis).unwrap();
    let said = desk.passerelle(&["stats"]).await;
    assert!(
        said.out.contains("at least 3 answered deliveries are lost"),
        "{}",
        said.out
    );
    let said = desk.passerelle(&["doctor"]).await;
    assert!(
        said.out.contains("at least 3 answered deliveries are lost"),
        "{}",
        said.out
    );
}
