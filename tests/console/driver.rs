//! The program that drives a browser, and ends with it.

use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use tempfile::TempDir;
use test_support::{children_of, eventually, is_alive, signal};

use crate::browser::{Browser, WIDE};

/// What starts the browser, and where both keep their files.
pub(crate) struct Driver {
    process: Child,
    _folder: TempDir,
}

impl Driver {
    pub(crate) fn start(port: u16) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new("chromedriver");
        let command = command
            .arg(format!("--port={port}"))
            .env("TMPDIR", folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(Self {
            process: command.spawn().context("chromedriver")?,
            _folder: folder,
        })
    }

    /// The browser's processes: each has a group of its own.
    fn family(&self) -> Vec<u32> {
        let mut family = vec![self.process.id()];
        let mut next = 0;
        while let Some(pid) = family.get(next) {
            family.extend(children_of(*pid).unwrap_or_default());
            next += 1;
        }
        family.split_off(1)
    }
}

impl Drop for Driver {
    /// A browser outlives its driver, if nobody closes it: a test that fails does not.
    fn drop(&mut self) {
        let family = self.family();
        let _ = self.process.kill();
        let _ = self.process.wait();
        for pid in family {
            let _ = signal(pid, "KILL");
        }
    }
}

#[tokio::test]
async fn a_browser_that_nobody_closes_leaves_no_process_behind() {
    let Some(browser) = Browser::open("en", WIDE).await.unwrap() else {
        return;
    };
    let family = browser.driver.family();
    assert!(family.len() >= 2, "{family:?}");
    drop(browser);
    eventually("they have ended", async || {
        let alive: Vec<&u32> = family.iter().filter(|pid| is_alive(**pid)).collect();
        if alive.is_empty() {
            Ok(())
        } else {
            Err(format!("{alive:?}"))
        }
    })
    .await;
}
