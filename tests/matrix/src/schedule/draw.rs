//! A schedule, drawn from the dice of its seed. What is added here later goes to the end of its
//! list: an old seed keeps its meaning only as long as the dice fall as they did, so seeds that
//! were red are kept together with what they found.

use std::time::Duration;

use super::{
    ApiFault, Change, Clock, Damage, Database, Fact, Fault, FaultKind, INGRESSES, Line, Product, Program, RedisFault,
    Schedule, SqlFault, Step, WORKERS,
};
use crate::chance::Dice;
use crate::seed::Seed;

/// Points of a worker's way where it may end; those that a schedule of rows passes often.
const CRASH_POINTS: [&str; 10] = [
    "AfterFetch",
    "AfterLookup",
    "AfterIntent",
    "AfterCreate",
    "AfterLabel",
    "AfterUpdate",
    "AfterLinkSaved",
    "AfterWriteBack",
    "BeforeSettle",
    "AfterNoticeSent",
];

pub(super) fn schedule(seed: &Seed) -> Schedule {
    let mut dice = Dice::new(seed.number);
    let database = if dice.between(1, 3) == 1 {
        Database::Postgres
    } else {
        Database::Sqlite
    };
    let count = usize::try_from(dice.between(18, 30)).unwrap_or(18);
    let changes: Vec<Step> = (0..count).map(|_| step(&mut dice)).collect();
    let faults = dice.between(2, 6);
    let faults = (1..=faults).map(|number| fault(&mut dice, usize::try_from(number).unwrap_or(1), count, database));
    let faults = faults.filter(|fault| seed.has(fault.number)).collect();
    Schedule {
        seed: seed.clone(),
        database,
        changes,
        faults,
    }
}

fn step(dice: &mut Dice) -> Step {
    let pause = Duration::from_millis(dice.between(20, 400));
    let change = change(dice);
    Step { pause, change }
}

fn change(dice: &mut Dice) -> Change {
    let any = |dice: &mut Dice| dice.index(60);
    match dice.between(0, 99) {
        0..=13 => Change::CreateProject { client: any(dice) },
        14..=31 => Change::RenameProject(any(dice)),
        32..=43 => Change::SetStatus(any(dice), any(dice)),
        44..=48 => Change::Relink {
            project: any(dice),
            client: any(dice),
        },
        49..=52 => Change::DeleteProject(any(dice)),
        53..=55 => Change::RestoreProject(any(dice)),
        56..=60 => Change::RenameClient(any(dice)),
        61..=64 => Change::RenameCourse(any(dice)),
        65..=68 => Change::CreateBloc(any(dice)),
        69..=71 => Change::RenameBloc(any(dice)),
        72..=73 => Change::DeleteBloc(any(dice)),
        74..=79 => Change::Assign(any(dice)),
        80..=81 => Change::Batch {
            rows: 40,
            bytes: 30_000,
        },
        82..=86 => Change::Repeat(any(dice)),
        87..=90 => Change::WriteOnPage(any(dice)),
        91..=92 => Change::RenamePage(any(dice)),
        93..=95 => Change::TrashPage(any(dice)),
        96..=97 => Change::MovePage(any(dice)),
        _ => Change::OwnPage,
    }
}

fn fault(dice: &mut Dice, number: usize, changes: usize, database: Database) -> Fault {
    let kind = kind(dice, database);
    let line = line(dice, database);
    let by_line = dice.between(1, 3) == 1;
    let chunks = dice.between(1, 60);
    let change = dice.index(changes);
    let when = if by_line {
        Fact::Carried(line, chunks)
    } else {
        Fact::Changes(change)
    };
    let lasts = match dice.between(0, 3) {
        0 => dice.between(50, 500),
        1 | 2 => dice.between(500, 2_500),
        _ => dice.between(2_500, 5_000),
    };
    Fault {
        number,
        when,
        kind,
        lasts: Duration::from_millis(lasts),
    }
}

fn kind(dice: &mut Dice, database: Database) -> FaultKind {
    match dice.between(0, 99) {
        0..=8 => FaultKind::Kill(program(dice)),
        9..=14 => FaultKind::Freeze(program(dice)),
        15..=18 => FaultKind::Stop(program(dice)),
        19..=26 => FaultKind::Crash(dice.index(WORKERS), dice.pick(&CRASH_POINTS)),
        27..=29 => FaultKind::Poison(dice.index(60)),
        30..=44 => line_fault(dice, database),
        45..=61 => FaultKind::Redis(redis_fault(dice)),
        62..=70 => FaultKind::Sql(sql_fault(dice, database)),
        71..=86 => docmost_fault(dice),
        87..=93 => baserow_fault(dice),
        _ => clock_fault(dice),
    }
}

fn clock_fault(dice: &mut Dice) -> FaultKind {
    let clock = match dice.between(0, 1) {
        0 => Clock::OfRedis,
        _ => Clock::Of(program(dice)),
    };
    FaultKind::Clock(clock, dice.pick(&[-3_600, -120, 120, 3_600]))
}

fn program(dice: &mut Dice) -> Program {
    if dice.between(0, 2) == 0 {
        Program::Ingress(dice.index(INGRESSES))
    } else {
        Program::Worker(dice.index(WORKERS))
    }
}

fn line(dice: &mut Dice, database: Database) -> Line {
    match dice.between(0, 7) {
        0 => Line::Webhooks,
        1 => Line::IngressRedis(dice.index(INGRESSES)),
        2 | 3 => Line::WorkerRedis(dice.index(WORKERS)),
        4 | 5 => Line::WorkerDocmost(dice.index(WORKERS)),
        6 => Line::WorkerBaserow(dice.index(WORKERS)),
        _ if database == Database::Postgres => Line::WorkerDatabase(dice.index(WORKERS)),
        _ => Line::WorkerMail(dice.index(WORKERS)),
    }
}

fn line_fault(dice: &mut Dice, database: Database) -> FaultKind {
    let line = line(dice, database);
    let damage = match dice.between(0, 6) {
        0 | 1 => Damage::Cut,
        2 | 3 => Damage::Hang,
        4 | 5 => Damage::Slow(Duration::from_millis(dice.between(20, 300))),
        _ => Damage::Limit(1024 * 1024),
    };
    match damage {
        // Only these lines carry large requests.
        Damage::Limit(_) => FaultKind::Line(Line::IngressRedis(dice.index(INGRESSES)), damage),
        _ => FaultKind::Line(line, damage),
    }
}

fn redis_fault(dice: &mut Dice) -> RedisFault {
    match dice.between(0, 15) {
        0 | 1 => RedisFault::Restart,
        2..=4 => RedisFault::Kill,
        5 | 6 => RedisFault::Freeze,
        7 => RedisFault::DropClients,
        8 | 9 => RedisFault::OutOfMemory,
        10 => RedisFault::ReadOnly,
        11 => RedisFault::NoPermission,
        12 => RedisFault::TailLost,
        13 | 14 => RedisFault::Failover,
        _ => RedisFault::FailoverByAddress,
    }
}

fn sql_fault(dice: &mut Dice, database: Database) -> SqlFault {
    match (dice.between(0, 7), database) {
        (2, Database::Sqlite) => SqlFault::Restored,
        (3..=5, Database::Sqlite) => SqlFault::Full,
        (0 | 1, _) | (_, Database::Sqlite) => SqlFault::Locked,
        (2 | 3, Database::Postgres) => SqlFault::ReadOnly,
        (4 | 5, Database::Postgres) => SqlFault::Kill,
        (_, Database::Postgres) => SqlFault::Freeze,
    }
}

fn docmost_fault(dice: &mut Dice) -> FaultKind {
    let path = dice.pick(&[
        "*",
        "/api/pages/create",
        "/api/pages/create",
        "/api/pages/update",
        "/api/pages/update",
        "/api/labels",
        "/api/pages/labels",
        "/api/pages/info",
    ]);
    let fault = api_fault(dice);
    let times = times(dice, path, fault);
    FaultKind::Api {
        product: Product::Docmost,
        method: "POST",
        path,
        times,
        fault,
    }
}

fn baserow_fault(dice: &mut Dice) -> FaultKind {
    let (method, path) = dice.pick(&[
        ("GET", "*"),
        ("GET", "/api/database/rows/"),
        ("PATCH", "/api/database/rows/"),
        ("PATCH", "/api/database/rows/"),
    ]);
    let fault = api_fault(dice);
    let times = times(dice, path, fault);
    FaultKind::Api {
        product: Product::Baserow,
        method,
        path,
        times,
        fault,
    }
}

fn api_fault(dice: &mut Dice) -> ApiFault {
    match dice.between(0, 17) {
        0 | 1 => ApiFault::Error,
        2 => ApiFault::ProxyPage,
        3 => ApiFault::NoRoute,
        4 => ApiFault::SignInPage,
        5 => ApiFault::RetryAfter(dice.pick(&["1", "2"])),
        6 => ApiFault::RetryAfter(dice.pick(&["86400", "99999999999", "Fri, 31 Dec 2100 23:59:59 GMT"])),
        7 | 8 => ApiFault::Hang,
        9 => ApiFault::Reset,
        10..=12 => ApiFault::LostAnswer,
        13 => ApiFault::FailedButDone,
        14..=16 => ApiFault::Zombie(Duration::from_millis(dice.between(1_100, 2_500))),
        _ => ApiFault::Slow(Duration::from_millis(dice.between(100, 900))),
    }
}

/// What meets all calls for a while is an outage; what is done and not told meets a few calls.
fn times(dice: &mut Dice, path: &str, fault: ApiFault) -> Option<u64> {
    let few = dice.between(1, 4);
    let all = dice.between(0, 1) == 0;
    match fault {
        ApiFault::LostAnswer | ApiFault::FailedButDone | ApiFault::Zombie(_) => Some(few),
        _ if path == "*" || all => None,
        _ => Some(few),
    }
}
