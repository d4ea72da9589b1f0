//! The playground: a sandbox of Baserow and Docmost, the bridge and its console, for a person who
//! wants to see what the bridge does. It runs until Ctrl-C, and leaves nothing behind.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use system_tests::{Console, Process, System};
use test_support::free_port;

use super::{Ends, say};

/// Who signs in to the console.
const PERSON: &str = "play";
/// How long a process may take to stop by itself. What it holds is thrown away.
const STOPS_WITHIN: Duration = Duration::from_secs(5);
/// As many webhook calls at once as on a real server: they come in any order.
const EXPORT_WORKERS: u32 = 4;

/// Runs until one of the signals, with the rules of this file.
pub(crate) async fn run(bridge: &Path, ends: &mut Ends) -> anyhow::Result<()> {
    anyhow::ensure!(
        bridge.is_file(),
        "there is no {}: name the folder of your rules with --rules",
        bridge.display()
    );
    say("Starting Redis, a sandbox of Baserow and Docmost, the bridge and its console …")?;
    let stage = tokio::select! {
        stage = Stage::set(bridge) => stage?,
        () = ends.wanted() => return Ok(()),
    };
    say(&stage.told())?;
    ends.wanted().await;
    // Whoever has closed the terminal reads no more.
    let _ = say("Stopping …");
    stage.clear().await;
    let _ = say("Everything is stopped, and nothing is left behind.");
    Ok(())
}

/// All that runs.
struct Stage {
    console: Console,
    password: String,
    playground: u16,
    system: System,
}

impl Stage {
    async fn set(bridge: &Path) -> anyhow::Result<Self> {
        let (playground, port) = (free_port()?, free_port()?);
        let console_url = format!("http://127.0.0.1:{port}");
        let builder = System::builder().quick_gates().for_play().bridge_file(bridge);
        let system = builder.playground(playground, &console_url).start().await?;
        let workers = json!({"export_workers": EXPORT_WORKERS});
        let settings = "/_sandbox/baserow/settings";
        system
            .baserow
            .control(reqwest::Method::PATCH, settings, Some(workers))
            .await?;
        let mut clients = Vec::new();
        for name in ["Atelier Nord", "Ville de Lille"] {
            clients.push(system.baserow.create("client", json!({"Name": name})).await?.row.get());
        }
        for (name, client) in ["Refonte du site", "Gare du Nord"].iter().zip(clients) {
            let project = json!({"Nom": name, "Statut": "En cours", "Client": [client]});
            system.baserow.create("projet", project).await?;
        }
        Ok(Self {
            console: system.start_console(port).await?,
            password: system.console_account(PERSON, "operator").await?,
            playground,
            system,
        })
    }

    fn told(&self) -> String {
        format!(
            "\n  Playground  http://127.0.0.1:{}\n              change rows, see their pages, break Docmost\n  Console     {}\n              \
             what the bridge does, and why: sign in as {PERSON}, password {}\n  Baserow     {}\n  Docmost     {}\n\nCtrl-C stops \
             everything and leaves nothing behind.",
            self.playground, self.console.url, self.password, self.system.baserow.url, self.system.docmost.url
        )
    }

    /// Stops everything. What Ctrl-C has reached already stops anyway; what does not is killed.
    async fn clear(mut self) {
        let bridge = std::iter::once(&mut self.console.process)
            .chain(&mut self.system.workers)
            .chain([&mut self.system.ingress, &mut self.system.sandbox]);
        let stops = bridge.map(|process: &mut Process| process.stop(STOPS_WITHIN));
        futures::future::join_all(stops).await;
    }
}
