//! The lines of a world: one for each process and each server that it calls.

use std::net::SocketAddr;

use anyhow::Context as _;
use test_support::free_port;

use super::sandbox::Doors;
use crate::link::{Link, Mode};
use crate::schedule::{INGRESSES, Line, WORKERS};

/// All lines of a world.
#[derive(Debug)]
pub(crate) struct Links(Vec<(Line, Link)>);

/// Where the lines lead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) ingresses: [u16; INGRESSES],
    pub(crate) redis: u16,
    /// Any port if the database is a file.
    pub(crate) database: u16,
    pub(crate) doors: Doors,
}

impl Links {
    pub(crate) async fn open(ends: &Ends) -> anyhow::Result<Self> {
        let ingresses: Vec<u16> = ends.ingresses.to_vec();
        let mut lines = vec![(Line::Webhooks, ingresses)];
        lines.extend((0..INGRESSES).map(|number| (Line::IngressRedis(number), vec![ends.redis])));
        for number in 0..WORKERS {
            lines.extend([
                (Line::WorkerRedis(number), vec![ends.redis]),
                (Line::WorkerDatabase(number), vec![ends.database]),
                (Line::WorkerBaserow(number), vec![ends.doors.baserow]),
                (Line::WorkerDocmost(number), vec![ends.doors.docmost]),
                (Line::WorkerMail(number), vec![ends.doors.smtp]),
            ]);
        }
        let mut opened = Vec::new();
        for (line, ports) in lines {
            let targets = ports.into_iter().map(local).collect();
            let link = Link::open(free_port()?, targets).await;
            opened.push((line, link.with_context(|| line.to_string())?));
        }
        Ok(Self(opened))
    }

    pub(crate) fn get(&self, line: Line) -> &Link {
        let found = self.0.iter().find(|(known, _)| *known == line);
        // Every line that a schedule can name was opened.
        found.map_or(&self.0[0].1, |(_, link)| link)
    }

    /// The port of one of them.
    pub(crate) fn port(&self, line: Line) -> u16 {
        self.get(line).port()
    }

    pub(crate) fn heal(&self) {
        for (_, link) in &self.0 {
            link.set(Mode::Pass);
        }
    }

    /// Sends the lines to Redis elsewhere.
    pub(crate) fn redirect_redis(&self, port: u16, ends_connections: bool) {
        let lines = self.0.iter();
        for (_, link) in lines.filter(|(line, _)| matches!(line, Line::IngressRedis(_) | Line::WorkerRedis(_))) {
            link.redirect(local(port), ends_connections);
        }
    }
}

/// An address of this machine.
pub(crate) fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
