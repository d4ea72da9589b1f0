//! The database is put back to an older copy: what had been done since is asked for again, and
//! nobody gets a mail twice.

use std::path::PathBuf;

use rstest::rstest;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use test_support::TestPostgres;

use super::*;

/// Where the store is.
enum Database {
    Sqlite,
    Postgres(TestPostgres),
}

impl Database {
    fn start(is_postgres: bool) -> anyhow::Result<Self> {
        Ok(if is_postgres {
            Self::Postgres(TestPostgres::start()?)
        } else {
            Self::Sqlite
        })
    }

    async fn back_up(&self, system: &System) -> anyhow::Result<()> {
        match self {
            Self::Sqlite => {
                let mut connection = SqliteConnection::connect(&system.environment()["DATABASE_URL"]).await?;
                let copy = file(system).with_extension("copy");
                let statement = format!("VACUUM INTO '{}'", copy.display());
                sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await?;
                Ok(())
            }
            Self::Postgres(server) => {
                on_each_table(server, |table| {
                    format!("CREATE SCHEMA IF NOT EXISTS backup; CREATE TABLE backup.{table} AS TABLE public.{table}")
                })
                .await
            }
        }
    }

    /// Nobody has the file open; the clients of a server stay where they are.
    async fn restore(&self, system: &mut System) -> anyhow::Result<()> {
        match self {
            Self::Sqlite => {
                system.workers[0].stop(Duration::from_mins(1)).await?;
                for suffix in ["-wal", "-shm"] {
                    let _ = std::fs::remove_file(format!("{}{suffix}", file(system).display()));
                }
                std::fs::rename(file(system).with_extension("copy"), file(system))?;
                system.start_worker()
            }
            Self::Postgres(server) => {
                on_each_table(server, |table| {
                    format!("DELETE FROM public.{table}; INSERT INTO public.{table} SELECT * FROM backup.{table}")
                })
                .await
            }
        }
    }
}

/// In one transaction, as a backup and its restoration are.
async fn on_each_table(server: &TestPostgres, statements: fn(&str) -> String) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(&server.url()).await?;
    let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut connection).await?;
    let statements: Vec<String> = tables.iter().map(|table| statements(table)).collect();
    // Without a look at foreign keys: the order of the tables is any.
    let statements = statements.join("; ");
    let all = format!("BEGIN; SET LOCAL session_replication_role = replica; {statements}; COMMIT");
    sqlx::raw_sql(AssertSqlSafe(all)).execute(&mut connection).await?;
    Ok(())
}

fn file(system: &System) -> PathBuf {
    PathBuf::from(system.environment()["DATABASE_URL"].trim_start_matches("sqlite://"))
}

async fn started(database: &Database) -> anyhow::Result<System> {
    match database {
        Database::Sqlite => builder().start().await,
        Database::Postgres(server) => builder().database(&server.url()).start().await,
    }
}

/// The events are in the store, and open.
async fn are_recorded(system: &System, items: i64) -> anyhow::Result<()> {
    system.drained_webhooks().await;
    let store = system.store().await?;
    eventually("the events are recorded", async || match store.counts().await {
        Ok(counts) if counts.open == items => Ok(()),
        other => Err(format!("{other:?}\n{}", system.logs())),
    })
    .await;
    Ok(())
}

#[rstest]
#[case::in_sqlite_while_nothing_happens(false, false)]
#[case::in_sqlite_while_events_go_on(false, true)]
#[case::in_postgres_while_nothing_happens(true, false)]
#[case::in_postgres_while_events_go_on(true, true)]
#[tokio::test]
async fn a_database_that_is_put_back_to_an_older_copy_is_told_once_and_repaired_and_no_mail_is_sent_twice(
    #[case] is_postgres: bool,
    #[case] events_go_on: bool,
) {
    let database = Database::start(is_postgres).unwrap();
    let mut system = started(&database).await.unwrap();
    let person = json!({"Nom": "Zoe", "Email": "zoe@example.org", "heures_max": 40});
    let zoe = system.baserow.create("personne", person).await.unwrap();
    let mut rows = vec![project(&system, "Avant").await.unwrap()];
    have_pages(&system, &rows).await;
    system.drain().await;

    switch(&system, "pause").await.unwrap();
    let given = json!({"Libelle": "Rust avancé", "Personne": [zoe.row.get()], "heures": 14});
    system.baserow.create("attribution", given).await.unwrap();
    for name in ["Un", "Deux"] {
        rows.push(project(&system, name).await.unwrap());
    }
    are_recorded(&system, 3).await.unwrap();
    database.back_up(&system).await.unwrap();

    // All that follows is only in the wiki, in the mail boxes and in Baserow once the copy is back.
    switch(&system, "resume").await.unwrap();
    let to_zoe = system.people.mails_reach(1).await;
    have_pages(&system, &rows).await;
    system.drain().await;
    if events_go_on {
        rows.push(project(&system, "Oublié").await.unwrap());
        have_pages(&system, &rows).await;
        system.drain().await;
    }
    database.restore(&mut system).await.unwrap();
    if events_go_on {
        rows.push(project(&system, "Après").await.unwrap());
    }

    alarms(&system).await;
    have_pages(&system, &rows).await;
    is_whole_again(&system).await.unwrap();
    was_sent_once(&system, &to_zoe[0]).await.unwrap();
    for row in rows {
        assert_eq!(
            system.docmost.pages_of(row).await.unwrap().len(),
            1,
            "{row}\n{}",
            system.logs()
        );
    }
}
