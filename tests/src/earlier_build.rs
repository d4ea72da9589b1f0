//! What an earlier build left in Redis and in the store, for the tests of upgrades.

use std::path::Path;
use std::str::FromStr as _;

use anyhow::{Context as _, ensure};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Carries out the commands of an append-only file, in order. Keys that have expired meanwhile are
/// gone, as after a restart.
pub(crate) async fn load_queue(file: &Path, url: &str) -> anyhow::Result<()> {
    const END: &[u8] = b"$6\r\nloaded\r\n";
    let commands = std::fs::read(file).with_context(|| file.display().to_string())?;
    let address = url.trim_start_matches("redis://").split('/').next().unwrap_or_default();
    let mut connection = TcpStream::connect(address).await?;
    connection.write_all(&commands).await?;
    connection.write_all(b"*2\r\n$4\r\nECHO\r\n$6\r\nloaded\r\n").await?;
    let mut answers = Vec::new();
    while !answers.ends_with(END) {
        ensure!(
            connection.read_buf(&mut answers).await? > 0,
            "Redis closed the connection"
        );
    }
    let refused = answers.split(|byte| *byte == b'\n').find(|line| line.starts_with(b"-"));
    ensure!(
        refused.is_none(),
        "{}",
        String::from_utf8_lossy(refused.unwrap_or_default())
    );
    Ok(())
}

/// Fills a SQLite file that does not exist yet.
pub(crate) async fn load_store(dump: &Path, url: &str) -> anyhow::Result<()> {
    ensure!(url.starts_with("sqlite:"), "a dump is for SQLite, not for {url}");
    let statements = std::fs::read_to_string(dump).with_context(|| dump.display().to_string())?;
    let options = SqliteConnectOptions::from_str(url)?.create_if_missing(true);
    let mut connection = options.connect().await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
        .execute(&mut connection)
        .await?;
    Ok(())
}
