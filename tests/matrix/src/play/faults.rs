//! How each fault begins and ends.

use std::time::Duration;

use serde_json::{Value, json};
use test_support::TestPostgres;

use super::stalls::last;
use crate::check::Violation;
use crate::link::Mode;
use crate::schedule::{
    ApiFault, Clock, Damage, Fault, FaultKind, Line, Product, Program, RedisFault, SqlFault, WORKERS,
};
use crate::world::{Redis, Sql, World};

/// The table of the projects.
const PROJECT: u64 = 2;
/// Below what Redis needs for itself: every write is refused.
const TOO_LITTLE_MEMORY: &str = "100kb";

/// One fault from its beginning to its end; what should not be seen meanwhile.
pub(super) async fn happen(world: &World, fault: &Fault) -> anyhow::Result<Vec<Violation>> {
    match fault.kind {
        FaultKind::Redis(kind) => return redis(world, kind, fault).await,
        FaultKind::Sql(kind) => return sql(world, kind, fault).await,
        FaultKind::Line(line, damage) => {
            let carrier = world.links.get(line);
            let _turn = carrier.turn.lock().await;
            carrier.set(mode(damage));
            let seen = last(world, fault).await;
            carrier.set(Mode::Pass);
            return Ok(seen);
        }
        FaultKind::Api { product, .. } => {
            world.sandbox.set_faults(product, &[switch(&fault.kind)]).await?;
            tokio::time::sleep(fault.lasts).await;
            world.sandbox.set_faults(product, &[]).await?;
        }
        FaultKind::Clock(clock, by) => {
            world.clocks.set(clock, by)?;
            tokio::time::sleep(fault.lasts).await;
            world.clocks.set(clock, 0)?;
        }
        FaultKind::Poison(project) => poison(world, project, fault.lasts).await?,
        FaultKind::Kill(_) | FaultKind::Freeze(_) | FaultKind::Stop(_) | FaultKind::Crash(..) => {
            process(world, fault).await?;
        }
    }
    Ok(Vec::new())
}

async fn process(world: &World, fault: &Fault) -> anyhow::Result<()> {
    let lasts = fault.lasts;
    match fault.kind {
        FaultKind::Kill(program) => {
            let mut place = world.place(program).lock().await;
            place.kill();
            tokio::time::sleep(lasts).await;
            place.revive()
        }
        FaultKind::Freeze(program) => {
            let place = world.place(program).lock().await;
            place.signal("STOP")?;
            tokio::time::sleep(lasts).await;
            place.signal("CONT")
        }
        FaultKind::Stop(program) => {
            let mut place = world.place(program).lock().await;
            place.stop().await?;
            tokio::time::sleep(lasts).await;
            place.revive()
        }
        FaultKind::Crash(worker, point) => {
            let mut place = world.place(Program::Worker(worker)).lock().await;
            place.start_fragile(point)?;
            // It may never pass the point.
            let _ = tokio::time::timeout(lasts, place.ended()).await;
            place.kill();
            place.revive()
        }
        _ => Ok(()),
    }
}

fn mode(damage: Damage) -> Mode {
    match damage {
        Damage::Cut => Mode::Cut,
        Damage::Hang => Mode::Hang,
        Damage::Slow(by) => Mode::Slow(by),
        Damage::Limit(bytes) => Mode::Limit(bytes),
    }
}

async fn redis(world: &World, kind: RedisFault, fault: &Fault) -> anyhow::Result<Vec<Violation>> {
    let mut redis = world.redis.lock().await;
    match kind {
        RedisFault::Restart => redis.shut_down().await,
        RedisFault::Kill => redis.kill(),
        RedisFault::Freeze => redis.signal("STOP")?,
        RedisFault::DropClients => redis.asked(&["CLIENT", "KILL", "TYPE", "normal"]).await?,
        RedisFault::OutOfMemory => redis.asked(&["CONFIG", "SET", "maxmemory", TOO_LITTLE_MEMORY]).await?,
        // Port 1 has no master: it keeps its data and waits.
        RedisFault::ReadOnly => redis.asked(&["REPLICAOF", "127.0.0.1", "1"]).await?,
        RedisFault::NoPermission => redis.asked(&["ACL", "SETUSER", "default", "-@write"]).await?,
        RedisFault::TailLost => return lose_tail(&mut redis, fault.lasts).await.map(|()| Vec::new()),
        RedisFault::Failover | RedisFault::FailoverByAddress => {
            return fail_over(world, &mut redis, kind, fault.lasts)
                .await
                .map(|()| Vec::new());
        }
    }
    let seen = last(world, fault).await;
    redis.heal().await?;
    Ok(seen)
}

/// Every worker that asks for the row is killed in the midst of it, and started again at once.
async fn poison(world: &World, project: usize, lasts: Duration) -> anyhow::Result<()> {
    let rows = world.sandbox.rows(PROJECT).await?;
    let Some(row) = rows.get(project % rows.len().max(1)) else {
        return Ok(());
    };
    let request = format!("GET /api/database/rows/table/{PROJECT}/{}/", row["id"]);
    world.poisoned.lock().await.insert(format!("t{PROJECT}/r{}", row["id"]));
    let killing = (0..WORKERS).map(async |number| {
        let carrier = world.links.get(Line::WorkerBaserow(number));
        loop {
            carrier.carries(&request).await;
            let mut place = world.place(Program::Worker(number)).lock().await;
            place.kill();
            place.revive()?;
        }
    });
    // They go on until the time is over.
    let ended = tokio::time::timeout(lasts, futures::future::try_join_all(killing)).await;
    for number in 0..WORKERS {
        world.links.get(Line::WorkerBaserow(number)).carries_anything();
    }
    ended.map_or(Ok(()), |failed: anyhow::Result<Vec<()>>| failed.map(|_| ()))
}

/// What is written while the fault lasts is lost.
async fn lose_tail(redis: &mut Redis, lasts: Duration) -> anyhow::Result<()> {
    let (files, copy) = (redis.folder.join("appendonlydir"), redis.folder.join("copy"));
    let copied = tokio::process::Command::new("cp")
        .arg("-a")
        .args([&files, &copy])
        .status();
    anyhow::ensure!(copied.await?.success(), "the append-only file could not be copied");
    tokio::time::sleep(lasts).await;
    redis.kill();
    std::fs::remove_dir_all(&files)?;
    std::fs::rename(&copy, &files)?;
    redis.boot().await
}

/// A replica falls behind while the fault lasts, and then takes the place of its master.
async fn fail_over(world: &World, redis: &mut Redis, kind: RedisFault, lasts: Duration) -> anyhow::Result<()> {
    let folder = redis.folder.with_extension(format!("after-{}", redis.port));
    let replica = Redis::start(folder, world.clocks.preload(Clock::OfRedis)).await?;
    replica.follows(redis.port).await?;
    replica.signal("STOP")?;
    tokio::time::sleep(lasts).await;
    let keeps_connections = kind == RedisFault::FailoverByAddress;
    let mut old = std::mem::replace(redis, replica);
    if keeps_connections {
        old.ask(&["REPLICAOF", "127.0.0.1", "1"]).await?;
    } else {
        old.kill();
    }
    redis.signal("CONT")?;
    redis.ask(&["REPLICAOF", "NO", "ONE"]).await?;
    world.links.redirect_redis(redis.port, !keeps_connections);
    world.operator.lock().await.moves_to_redis(redis.port);
    world.retired.lock().await.push(old);
    Ok(())
}

async fn sql(world: &World, kind: SqlFault, fault: &Fault) -> anyhow::Result<Vec<Violation>> {
    let sql = world.sql.lock().await;
    match kind {
        SqlFault::Locked => return sql.lock_for(fault.lasts).await.map(|()| Vec::new()),
        SqlFault::Restored => return restore(world, &sql, fault.lasts).await.map(|()| Vec::new()),
        SqlFault::ReadOnly => sql.set_read_only(true).await?,
        SqlFault::Full => world.fill_disk().await?,
        SqlFault::Kill => sql.on_server(TestPostgres::kill).await?,
        SqlFault::Freeze => sql.on_server(TestPostgres::freeze).await?,
    }
    let seen = last(world, fault).await;
    match kind {
        SqlFault::Full => world.empty_disk().await?,
        SqlFault::Kill => sql.on_server(TestPostgres::boot).await?,
        _ => sql.heal().await?,
    }
    Ok(seen)
}

async fn restore(world: &World, sql: &Sql, lasts: Duration) -> anyhow::Result<()> {
    let Some(copy) = sql.back_up().await? else {
        return Ok(());
    };
    tokio::time::sleep(lasts).await;
    let mut places = Vec::new();
    for number in 0..WORKERS {
        let mut place = world.place(Program::Worker(number)).lock().await;
        place.kill();
        places.push(place);
    }
    sql.restore(&copy)?;
    places.iter_mut().try_for_each(|place| place.revive())
}

/// The fault as the sandbox takes it: it meets the bridge's calls alone.
fn switch(kind: &FaultKind) -> Value {
    let FaultKind::Api {
        product,
        method,
        path,
        times,
        fault,
    } = kind
    else {
        return Value::Null;
    };
    let mut switch = match fault {
        ApiFault::Error => json!({"kind": "status", "status": 500}),
        ApiFault::ProxyPage => json!({"kind": "status", "status": 503, "body": page("Service Unavailable")}),
        ApiFault::NoRoute => json!({"kind": "status", "status": 404, "body": page("404 page not found")}),
        ApiFault::SignInPage => json!({
            "kind": "status", "status": 302, "headers": {"location": "/sign-in"}, "body": page("Sign in"),
        }),
        ApiFault::RetryAfter(after) => json!({"kind": "status", "status": 429, "headers": {"retry-after": after}}),
        ApiFault::Hang => json!({"kind": "hang"}),
        ApiFault::Reset => json!({"kind": "reset"}),
        ApiFault::LostAnswer => json!({"kind": "lost_answer"}),
        ApiFault::FailedButDone => json!({"kind": "failed_but_done"}),
        ApiFault::Zombie(after) => json!({"kind": "zombie_write", "after_ms": after.as_millis()}),
        ApiFault::Slow(by) => json!({"kind": "delay", "ms": by.as_millis()}),
    };
    switch["path"] = json!(path);
    switch["origin"] = json!("bridge");
    if *product == Product::Baserow {
        switch["method"] = json!(method);
    }
    if let Some(times) = times {
        switch["times"] = json!(times);
    }
    switch
}

fn page(text: &str) -> String {
    format!("<html><body><h1>{text}</h1></body></html>")
}
