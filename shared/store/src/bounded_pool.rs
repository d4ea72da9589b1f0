//! The store's connections, with a limit for every statement: a database that hangs must look like
//! one that is away.
//!
//! `sqlx` limits only how long a call waits for a connection. A frozen server, or one behind a
//! network that swallows packets, keeps its connections; without a limit of ours each call on them
//! would wait for ever. A connection on which a statement was given up is tried by a ping before it
//! is used again, and closed if that is not answered.
//!
//! A connection on which a transaction was not committed is closed. After a full disk or an I/O
//! error SQLite has rolled back by itself, and what the driver believes of the connection is wrong
//! from then on: a later `COMMIT` on it would commit nothing, and hold the write lock.

use std::io;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt as _, TryStreamExt as _, try_unfold};
use sqlx::any::{AnyPoolOptions, AnyQueryResult, AnyRow, AnyStatement, AnyTypeInfo};
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, Connection as _, Describe, Either, Error, Execute, Executor, SqlStr};
use tokio::time::timeout;

use super::StoreError;

/// A pool on which every statement has a limit of time, for its connection, and for each of its
/// rows.
#[derive(Debug, Clone)]
pub(super) struct BoundedPool {
    /// The pool itself, for what may take long.
    pub(super) unbounded: AnyPool,
    limit: Duration,
}

impl BoundedPool {
    /// Connects with these options.
    pub(super) async fn connect(options: AnyPoolOptions, url: &str, limit: Duration) -> Result<Self, Error> {
        let options = options.after_release(move |connection, _| {
            Box::pin(async move {
                let ping = timeout(limit, connection.ping()).await;
                ping.unwrap_or_else(|_| Err(late(limit))).map(|()| true)
            })
        });
        Ok(Self {
            unbounded: options.connect(url).await?,
            limit,
        })
    }

    /// Begins a transaction. Its statements are bounded together: see [`BoundedPool::within`].
    pub(super) async fn begin(&self) -> Result<Transaction, Error> {
        let mut transaction = Transaction {
            connection: self.unbounded.acquire().await?,
            is_committed: false,
        };
        transaction.execute("BEGIN").await?;
        Ok(transaction)
    }

    /// The limit for several statements together; given up, a transaction among them is rolled
    /// back.
    pub(super) async fn within<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let done = timeout(self.limit, work).await;
        done.unwrap_or_else(|_| Err(late(self.limit).into()))
    }
}

/// A transaction with its connection, which is closed unless the transaction is committed.
///
/// It speaks SQL itself because `sqlx`' own transaction counts its depth beside the database, which
/// may roll back by itself.
#[derive(Debug)]
pub(super) struct Transaction {
    connection: PoolConnection<Any>,
    is_committed: bool,
}

impl Transaction {
    pub(super) async fn commit(mut self) -> Result<(), Error> {
        self.connection.execute("COMMIT").await?;
        self.is_committed = true;
        Ok(())
    }
}

impl Deref for Transaction {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.connection
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.is_committed {
            self.connection.close_on_drop();
        }
    }
}

fn late(limit: Duration) -> Error {
    let why = format!("the database did not answer within {} s", limit.as_secs_f64());
    Error::Io(io::Error::new(io::ErrorKind::TimedOut, why))
}

impl<'c> Executor<'c> for &BoundedPool {
    type Database = Any;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<AnyQueryResult, AnyRow>, Error>>
    where
        E: 'q + Execute<'q, Any>,
    {
        let limit = self.limit;
        try_unfold(self.unbounded.fetch_many(query), move |mut answers| async move {
            let next = timeout(limit, answers.try_next()).await;
            let next = next.unwrap_or_else(|_| Err(late(limit)))?;
            Ok(next.map(|answer| (answer, answers)))
        })
        .boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<AnyRow>, Error>>
    where
        E: 'q + Execute<'q, Any>,
    {
        let (limit, answer) = (self.limit, self.unbounded.fetch_optional(query));
        Box::pin(async move { timeout(limit, answer).await.unwrap_or_else(|_| Err(late(limit))) })
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [AnyTypeInfo]) -> BoxFuture<'e, Result<AnyStatement, Error>>
    where
        'c: 'e,
    {
        self.unbounded.prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Any>, Error>>
    where
        'c: 'e,
    {
        self.unbounded.describe(sql)
    }
}
