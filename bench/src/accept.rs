//! Accepting deliveries through HTTP, against a handler that checks the signature and stores nothing. Alternated in one run.

use std::net::SocketAddr;
use std::time::Duration;

use test_support::{eventually, free_port};

use crate::server::{Server, quiet_redis};
use crate::{cpu, load, table};

const PATH: &str = "/api/webhooks/baserow/projet-changed";
const ROUNDS: u64 = 3;

/// What one run of one server cost.
struct Run {
    rate: f64,
    p50: Duration,
    p99: Duration,
    server_cpu: f64,
    redis_cpu: f64,
    memory: f64,
}

/// Runs both servers in turn and prints the table.
pub(crate) async fn bench(seconds: u64) -> anyhow::Result<()> {
    let (mut limit, mut ours) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let port = free_port()?;
        let noop = Server::start(
            &std::env::current_exe()?,
            &["noop-server", "--port", &port.to_string()],
            &[],
        )?;
        limit.push(measure(&noop, None, port, seconds, round).await?);
        drop(noop);

        let redis = quiet_redis()?;
        let port = free_port()?;
        let environment = [
            ("REDIS_URL", redis.url()),
            ("INGRESS_BIND", format!("127.0.0.1:{port}")),
            // What is measured is the queue: a delivery that it does not take in time shall count as refused.
            ("INGRESS_SPOOL_BYTES", "0".to_owned()),
            ("BASEROW_WEBHOOK_SECRET", load::SECRET.to_owned()),
            (
                "BRIDGE_FILE",
                concat!(env!("CARGO_MANIFEST_DIR"), "/../bridge.toml").to_owned(),
            ),
            ("LOG_LEVEL", "warn".to_owned()),
        ];
        let program = std::env::current_exe()?.with_file_name("passerelle-ingress");
        let ingress = Server::start(&program, &[], &environment)?;
        ours.push(measure(&ingress, redis.pid(), port, seconds, round).await?);
    }
    let ratio = median(&ours, |run| run.rate) / median(&limit, |run| run.rate).max(1.0);
    let rows = [row("no-op handler (limit)", &limit), row("passerelle-ingress", &ours)];
    let heads = [
        "server",
        "answers/s",
        "p50 ms",
        "p99 ms",
        "server CPU ms/1000",
        "redis CPU ms/1000",
        "server RSS MiB",
    ];
    table::print(
        "Accept: 64 connections, closed loop, one in ten a duplicate",
        &heads,
        &rows,
    );
    table::note(&format!(
        "accept reaches {ratio:.2} of the no-op handler (expected: at least 0.45)"
    ));
    Ok(())
}

async fn measure(server: &Server, redis: Option<u32>, port: u16, seconds: u64, round: u64) -> anyhow::Result<Run> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    eventually("the server listens", async || {
        std::net::TcpStream::connect(address).map_err(|error| error.to_string())
    })
    .await;
    load::run(address, PATH, Duration::from_secs(1), round << 1).await?;
    let redis_used = |pid: Option<u32>| pid.map_or(Ok(Duration::ZERO), cpu::used);
    let (server_before, redis_before) = (cpu::used(server.pid())?, redis_used(redis)?);
    let seen = load::run(address, PATH, Duration::from_secs(seconds), (round << 1) + 1).await?;
    let (server_after, redis_after) = (cpu::used(server.pid())?, redis_used(redis)?);
    Ok(Run {
        rate: seen.rate(),
        p50: seen.quantile(0.5),
        p99: seen.quantile(0.99),
        server_cpu: cpu::millis_per_thousand(server_after.saturating_sub(server_before), seen.answers),
        redis_cpu: cpu::millis_per_thousand(redis_after.saturating_sub(redis_before), seen.answers),
        memory: cpu::resident_mib(server.pid())?,
    })
}

fn median(runs: &[Run], figure: impl Fn(&Run) -> f64) -> f64 {
    table::median(runs.iter().map(figure).collect())
}

fn row(name: &str, runs: &[Run]) -> Vec<String> {
    let millis = |figure: fn(&Run) -> Duration| format!("{:.2}", median(runs, |run| figure(run).as_secs_f64() * 1e3));
    vec![
        name.to_owned(),
        format!("{:.0}", median(runs, |run| run.rate)),
        millis(|run| run.p50),
        millis(|run| run.p99),
        format!("{:.1}", median(runs, |run| run.server_cpu)),
        format!("{:.1}", median(runs, |run| run.redis_cpu)),
        format!("{:.1}", median(runs, |run| run.memory)),
    ]
}
