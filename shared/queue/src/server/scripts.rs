//! The scripts by name, and how to call one. The gates' scripts are called in the same way.
//!
//! A call is sent by the script's hash. After a restart Redis has forgotten all scripts: then it is
//! loaded and called again, which is safe because a script that Redis does not know has not run.

use std::sync::LazyLock;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, Pipeline, RedisResult, ToRedisArgs};

use crate::server::question::Question;
use crate::{QueueError, Redis};

/// One of our scripts.
pub(crate) struct LuaScript {
    pub(crate) code: &'static str,
    pub(crate) hash: LazyLock<String>,
}

/// Makes a script of one or more files, one after the other. Their paths are relative to the file
/// that says so.
macro_rules! script {
    ($name:ident, $($file:literal),+) => {
        pub(crate) static $name: $crate::server::scripts::LuaScript = $crate::server::scripts::LuaScript {
            code: concat!($(include_str!($file)),+),
            hash: std::sync::LazyLock::new(|| {
                redis::Script::new(concat!($(include_str!($file)),+))
                    .get_hash()
                    .to_owned()
            }),
        };
    };
}
pub(crate) use script;

script!(
    ACCEPT,
    "scripts/clock.lua",
    "scripts/record.lua",
    "scripts/letter.lua",
    "scripts/ledger.lua",
    "scripts/accept.lua"
);
script!(BEAT, "scripts/clock.lua", "scripts/beat.lua");
script!(
    DISCARD,
    "scripts/letter.lua",
    "scripts/ledger.lua",
    "scripts/discard.lua"
);
script!(ENQUEUE, "scripts/clock.lua", "scripts/enqueue.lua");
script!(
    EXPIRED,
    "scripts/clock.lua",
    "scripts/record.lua",
    "scripts/expired.lua"
);
script!(
    FETCH,
    "scripts/clock.lua",
    "scripts/record.lua",
    "scripts/lanes.lua",
    "../held/held.lua",
    "../gate/scripts/admit.lua",
    "scripts/fetch.lua"
);
script!(NOTE, "scripts/ledger.lua", "scripts/note.lua");
script!(OLDEST, "scripts/record.lua", "scripts/lanes.lua", "scripts/oldest.lua");
script!(RENEW, "scripts/clock.lua", "scripts/record.lua", "scripts/renew.lua");
script!(
    RUN_NOW,
    "scripts/clock.lua",
    "scripts/record.lua",
    "scripts/lanes.lua",
    "../held/held.lua",
    "scripts/ledger.lua",
    "scripts/run_now.lua"
);
script!(
    SETTLE,
    "scripts/clock.lua",
    "scripts/record.lua",
    "scripts/lanes.lua",
    "../held/held.lua",
    "scripts/letter.lua",
    "scripts/ledger.lua",
    "scripts/settle.lua"
);
script!(
    STATS,
    "scripts/clock.lua",
    "scripts/record.lua",
    "scripts/lanes.lua",
    "../held/held.lua",
    "scripts/stats.lua"
);
script!(SWITCH, "scripts/ledger.lua", "scripts/switch.lua");
script!(WEIGH, "scripts/weigh.lua");

/// A call of a script: all keys first, then the arguments. It can be sent again as it is.
pub(crate) struct Call {
    script: &'static LuaScript,
    request: Request,
}

enum Request {
    Alone(Cmd),
    /// Behind another command, whose answer is of no interest, in one transaction.
    Behind(Pipeline),
}

impl LuaScript {
    /// Begins a call with this many keys.
    pub(crate) fn call(&'static self, keys: usize) -> Call {
        let mut command = redis::cmd("EVALSHA");
        command.arg(self.hash.as_str()).arg(keys);
        Call {
            script: self,
            request: Request::Alone(command),
        }
    }

    /// Begins a call with this many keys, before which another command is carried out; nothing
    /// comes in between. If the script is refused, what the command did remains.
    pub(crate) fn call_after(&'static self, first: Cmd, keys: usize) -> Call {
        let mut both = redis::pipe();
        both.atomic().add_command(first).ignore();
        both.cmd("EVALSHA").arg(self.hash.as_str()).arg(keys);
        Call {
            script: self,
            request: Request::Behind(both),
        }
    }
}

impl Call {
    /// Adds a key, or, after the keys, an argument.
    pub(crate) fn arg(&mut self, argument: impl ToRedisArgs) -> &mut Self {
        match &mut self.request {
            Request::Alone(command) => {
                command.arg(argument);
            }
            Request::Behind(both) => {
                both.arg(argument);
            }
        }
        self
    }

    /// Sends it.
    pub(crate) async fn send<T: FromRedisValue>(&self, redis: &Redis) -> Result<T, QueueError> {
        self.send_within(redis, redis.response_timeout()).await
    }

    /// Sends it, and waits only so long for each answer.
    pub(crate) async fn send_within<T: FromRedisValue>(
        &self,
        redis: &Redis,
        patience: Duration,
    ) -> Result<T, QueueError> {
        match redis.query_within(&self.request, patience).await {
            Err(QueueError::UnknownScript) => {
                self.load(redis).await?;
                redis.query_within(&self.request, patience).await
            }
            result => result,
        }
    }

    /// Sends a write that shall be durable: where replicas are waited for, they have it when this
    /// returns.
    pub(crate) async fn send_durably<T: FromRedisValue>(
        &self,
        redis: &Redis,
        patience: Duration,
    ) -> Result<T, QueueError> {
        match redis.write_within(&self.request, patience).await {
            Err(QueueError::UnknownScript) => {
                self.load(redis).await?;
                redis.write_within(&self.request, patience).await
            }
            result => result,
        }
    }

    async fn load(&self, redis: &Redis) -> Result<(), QueueError> {
        redis
            .query(redis::cmd("SCRIPT").arg("LOAD").arg(self.script.code))
            .await
    }
}

impl Question for Request {
    async fn ask<T: FromRedisValue>(&self, connection: &mut MultiplexedConnection) -> RedisResult<T> {
        match self {
            Self::Alone(command) => command.query_async(connection).await,
            Self::Behind(both) => both.query_async(connection).await.map(|(answer,)| answer),
        }
    }
}
