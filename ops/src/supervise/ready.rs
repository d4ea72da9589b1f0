//! Whether a part works: a fact that only this very process can bring about.

use std::net::SocketAddr;
use std::time::Duration;

use passerelle_queue::{Queue, QueueName, Redis, WorkerInfo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::part::Part;
use super::plan::{Plan, from_here};
use crate::trouble::Trouble;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the parts how they are.
#[derive(Debug, Clone)]
pub(crate) struct Readiness {
    http: reqwest::Client,
    queue: Queue,
    host: String,
}

impl Readiness {
    pub(crate) fn new(plan: &Plan) -> Result<Self, Trouble> {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
        Ok(Self {
            http: http.map_err(|error| Trouble::Failed(format!("repair the system's TLS set-up: {error}")))?,
            queue: Queue::new(Redis::open(&plan.redis)?, QueueName::Sync),
            host: WorkerInfo::host(),
        })
    }

    /// Whether this process, which is this part, works.
    pub(crate) async fn of(&self, plan: &Plan, part: Part, pid: u32) -> bool {
        match part {
            Part::Redis => answers_ping(plan.address(part)).await,
            Part::Ingress => self.answers(plan.health, "readyz").await,
            Part::Console => self.answers(plan.address(part), "healthz").await,
            Part::Worker(_) => self.sends_heartbeats(pid).await,
        }
    }

    async fn answers(&self, address: SocketAddr, path: &str) -> bool {
        let asked = self.http.get(format!("http://{}/{path}", from_here(address))).send();
        asked.await.is_ok_and(|answer| answer.status() == 200)
    }

    async fn sends_heartbeats(&self, pid: u32) -> bool {
        let Ok(Ok(workers)) = timeout(PATIENCE, self.queue.workers()).await else {
            return false;
        };
        workers
            .iter()
            .any(|worker| worker.pid == pid && worker.host == self.host)
    }
}

/// A Redis that is still reading its file answers otherwise.
async fn answers_ping(address: SocketAddr) -> bool {
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"PING\r\n").await?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await?;
        std::io::Result::Ok(&answer == b"+PONG")
    };
    matches!(timeout(PATIENCE, asked).await, Ok(Ok(true)))
}
