//! Accepts deliveries through HTTP: the ingress with both settings of `appendfsync`, against a
//! handler that checks the signature and stores nothing. The servers alternate in one run.

use std::net::SocketAddr;
use std::time::Duration;

use test_support::{Fsync, TestRedis, eventually, free_port};

use crate::server::{Server, quiet_redis};
use crate::{cpu, load, table};

const PATH: &str = "/api/webhooks/baserow/projet-changed";
const ROUNDS: u64 = 3;

/// The figures of one run of one server.
struct Run {
    rate: f64,
    p50: Duration,
    p99: Duration,
    server_cpu: f64,
    redis_cpu: f64,
    memory: f64,
}

/// How long each run takes, and which one it is.
#[derive(Clone, Copy)]
struct Plan {
    seconds: u64,
    round: u64,
}

/// Runs the servers in turn, and prints the table.
pub(crate) async fn bench(seconds: u64) -> anyhow::Result<()> {
    let (mut noop, mut everysec, mut always) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let plan = Plan { seconds, round };
        noop.push(run_noop(plan).await?);
        everysec.push(run_ingress(Fsync::Everysec, plan).await?);
        always.push(run_ingress(Fsync::Always, plan).await?);
    }
    print(&[
        ("no-op handler (limit)", &noop),
        ("passerelle-ingress, appendfsync everysec", &everysec),
        ("passerelle-ingress, appendfsync always", &always),
    ]);
    let ratio = |runs: &[Run], limit: &[Run]| median(runs, |run| run.rate) / median(limit, |run| run.rate).max(1.0);
    table::note(&format!(
        "everysec reaches {:.2} of the no-op handler (expected: at least 0.45)",
        ratio(&everysec, &noop)
    ));
    table::note(&format!(
        "always reaches {:.2} of the no-op handler (expected: at least 0.40) and {:.2} of everysec (at least 0.75)",
        ratio(&always, &noop),
        ratio(&always, &everysec)
    ));
    Ok(())
}

async fn run_noop(plan: Plan) -> anyhow::Result<Run> {
    let port = free_port()?;
    let arguments = ["noop-server", "--port", &port.to_string()];
    let noop = Server::start(&std::env::current_exe()?, &arguments, &[])?;
    measure(&noop, None, port, plan).await
}

async fn run_ingress(fsync: Fsync, plan: Plan) -> anyhow::Result<Run> {
    let redis = quiet_redis(fsync)?;
    let port = free_port()?;
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/../bridge.toml");
    let environment = [
        ("REDIS_URL", redis.url()),
        ("INGRESS_BIND", format!("127.0.0.1:{port}")),
        // Without a spool, a delivery that the queue does not take in time counts as refused.
        ("INGRESS_SPOOL_BYTES", "0".to_owned()),
        ("BASEROW_WEBHOOK_SECRET", load::SECRET.to_owned()),
        ("BRIDGE_FILE", rules.to_owned()),
        ("LOG_LEVEL", "warn".to_owned()),
        ("PASSERELLE_ENV_FILE", "/dev/null".to_owned()),
    ];
    let program = std::env::current_exe()?.with_file_name("passerelle-ingress");
    let ingress = Server::start(&program, &[], &environment)?;
    measure(&ingress, Some(&redis), port, plan).await
}

async fn measure(server: &Server, redis: Option<&TestRedis>, port: u16, plan: Plan) -> anyhow::Result<Run> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    eventually("the server listens", async || {
        std::net::TcpStream::connect(address).map_err(|error| error.to_string())
    })
    .await;
    load::run(address, PATH, Duration::from_secs(1), plan.round << 1).await?;
    let redis_pid = redis.and_then(TestRedis::pid);
    let redis_used = || redis_pid.map_or(Ok(Duration::ZERO), cpu::used);
    let (server_before, redis_before) = (cpu::used(server.pid())?, redis_used()?);
    let duration = Duration::from_secs(plan.seconds);
    let seen = load::run(address, PATH, duration, (plan.round << 1) + 1).await?;
    let (server_after, redis_after) = (cpu::used(server.pid())?, redis_used()?);
    Ok(Run {
        rate: seen.rate(),
        p50: seen.quantile(0.5),
        p99: seen.quantile(0.99),
        server_cpu: cpu::millis_per_thousand(server_after.saturating_sub(server_before), seen.answers),
        redis_cpu: cpu::millis_per_thousand(redis_after.saturating_sub(redis_before), seen.answers),
        memory: cpu::resident_mib(server.pid())?,
    })
}

fn print(servers: &[(&str, &[Run])]) {
    let headings = [
        "server",
        "answers/s",
        "p50 ms",
        "p99 ms",
        "server CPU ms/1000",
        "redis CPU ms/1000",
        "server RSS MiB",
    ];
    let rows: Vec<Vec<String>> = servers.iter().map(|(name, runs)| row(name, runs)).collect();
    let title = "Accept: 64 connections, closed loop, one in ten a duplicate";
    table::print(title, &headings, &rows);
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
