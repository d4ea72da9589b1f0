//! What Redis says of itself, as far as the bridge's life depends on it. Read with `INFO`, which
//! managed servers allow where they refuse `CONFIG`.

use std::collections::HashMap;

use crate::{QueueError, Redis};

/// What an operator should know of this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// Its version.
    pub version: String,
    /// Whether it writes an append-only file.
    pub append_only: bool,
    /// `appendfsync`: how soon the file is on the disk; `None` where the server refuses `CONFIG`.
    pub append_fsync: Option<String>,
    /// Whether the last write of that file succeeded.
    pub append_only_works: bool,
    /// `maxmemory-policy`; anything but `noeviction` may drop jobs.
    pub eviction_policy: String,
    /// Memory in use, in bytes.
    pub used_memory: u64,
    /// `maxmemory` in bytes; 0 = no limit.
    pub max_memory: u64,
    /// How many replicas copy it at present.
    pub replicas: u32,
}

impl Redis {
    /// What the server says of itself.
    pub async fn server_facts(&self) -> Result<ServerFacts, QueueError> {
        let info: String = self.query(&redis::cmd("INFO")).await?;
        let mut facts = parse(&info)
            .ok_or_else(|| QueueError::Protocol("INFO lacks what every Redis says of itself".to_owned()))?;
        let mut ask = redis::cmd("CONFIG");
        ask.arg("GET").arg("appendfsync");
        let setting: Result<Vec<String>, _> = self.query(&ask).await;
        facts.append_fsync = setting.ok().and_then(|pair| pair.into_iter().nth(1));
        Ok(facts)
    }
}

fn parse(info: &str) -> Option<ServerFacts> {
    let facts: HashMap<&str, &str> = info
        .lines()
        .filter_map(|line| line.trim_end().split_once(':'))
        .collect();
    let number = |name: &str| facts.get(name).and_then(|text| text.parse().ok());
    Some(ServerFacts {
        version: (*facts.get("redis_version")?).to_owned(),
        append_only: *facts.get("aof_enabled")? == "1",
        append_fsync: None,
        append_only_works: facts.get("aof_last_write_status").is_none_or(|status| *status == "ok"),
        eviction_policy: facts
            .get("maxmemory_policy")
            .copied()
            .unwrap_or("noeviction")
            .to_owned(),
        used_memory: number("used_memory")?,
        max_memory: number("maxmemory").unwrap_or(0),
        replicas: number("connected_slaves")
            .and_then(|count| count.try_into().ok())
            .unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_cannot_write_its_file_is_recognised() {
        let info = "# Server\r\nredis_version:7.0.15\r\nused_memory:5\r\naof_enabled:1\r\naof_last_write_status:err\r\nconnected_slaves:2\r\n";
        let facts = parse(info).unwrap();
        assert!(facts.append_only && !facts.append_only_works);
        assert_eq!((facts.used_memory, facts.max_memory, facts.replicas), (5, 0, 2));
        assert_eq!(parse("nonsense"), None);
    }
}
