//! The scripts by name, and how to call one.
//!
//! A call is sent by the script's hash. After a restart Redis has forgotten all scripts: then it is loaded and called again, which is safe
//! because a script that Redis does not know has not run.

use std::sync::LazyLock;
use std::time::Duration;

use redis::{Cmd, FromRedisValue, Script, ToRedisArgs};

use super::connection::NO_SCRIPT;
use super::{QueueError, Redis};

/// One of our scripts.
pub(super) struct LuaScript {
    code: &'static str,
    hash: LazyLock<String>,
}

macro_rules! script {
    ($name:ident, $file:literal) => {
        pub(super) static $name: LuaScript = LuaScript {
            code: include_str!(concat!("scripts/", $file)),
            hash: LazyLock::new(|| {
                Script::new(include_str!(concat!("scripts/", $file)))
                    .get_hash()
                    .to_owned()
            }),
        };
    };
}

script!(ACCEPT, "accept.lua");
script!(DISCARD, "discard.lua");
script!(EXPIRED, "expired.lua");
script!(FETCH, "fetch.lua");
script!(RENEW, "renew.lua");
script!(SETTLE, "settle.lua");
script!(STATS, "stats.lua");

/// A call of a script: all keys first, then the arguments. It can be sent again as it is.
pub(super) struct Call {
    script: &'static LuaScript,
    command: Cmd,
}

impl LuaScript {
    /// Begins a call with this many keys.
    pub(super) fn call(&'static self, keys: usize) -> Call {
        let mut command = redis::cmd("EVALSHA");
        command.arg(self.hash.as_str()).arg(keys);
        Call { script: self, command }
    }
}

impl Call {
    /// Adds a key, or, after the keys, an argument.
    pub(super) fn arg(&mut self, argument: impl ToRedisArgs) -> &mut Self {
        self.command.arg(argument);
        self
    }

    /// Sends it.
    pub(super) async fn send<T: FromRedisValue>(&self, redis: &Redis) -> Result<T, QueueError> {
        match redis.query(&self.command).await {
            Err(error) if is_unknown(&error) => {
                self.load(redis).await?;
                redis.query(&self.command).await
            }
            result => result,
        }
    }

    /// Sends it, and waits only so long for each answer.
    pub(super) async fn send_within<T: FromRedisValue>(
        &self,
        redis: &Redis,
        patience: Duration,
    ) -> Result<T, QueueError> {
        match redis.query_within(&self.command, patience).await {
            Err(error) if is_unknown(&error) => {
                self.load(redis).await?;
                redis.query_within(&self.command, patience).await
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

fn is_unknown(error: &QueueError) -> bool {
    matches!(error, QueueError::Refused(text) if text == NO_SCRIPT)
}
