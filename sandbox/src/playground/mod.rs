//! The playground: the projects as in a grid, their wiki pages beside them, and buttons that break
//! Docmost. What a person does there it does over the products' own interfaces.

mod acts;
mod view;

use std::io;
use std::net::TcpListener;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::{self, Data};
use anyhow::Context as _;
use minijinja::Environment;
use reqwest::Method;
use serde_json::Value;

use crate::calls::Calls;
use crate::faults::Switches;
use crate::server::{Manners, Running, serve};

/// How long the products may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// The tables of the agency that are shown.
const PROJECTS: &str = "projet";
const CLIENTS: &str = "client";

const MANNERS: Manners = Manners {
    name: "Playground",
    sign_of_life: &[],
    socket: None,
    body_limit: 64 * 1024,
    failure: |status| HttpResponse::build(status).finish(),
};

/// Whether there is a playground, and where it leads.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "playground")]
pub struct Options {
    /// The port of the playground, a page to edit rows and to break things; 0 takes a free one.
    /// Absent: no playground.
    #[arg(long)]
    pub playground_port: Option<u16>,
    /// The address of the bridge's console, to which the playground leads.
    #[arg(long)]
    pub console_url: Option<String>,
}

/// What the playground is about.
#[derive(Debug)]
struct Playground {
    http: reqwest::Client,
    baserow: String,
    baserow_token: String,
    docmost: String,
    /// Of Docmost.
    faults: Switches,
    /// Of Docmost.
    calls: Calls,
    console: Option<String>,
    templates: Environment<'static>,
    /// What was done last, in a sentence.
    said: Mutex<String>,
}

/// Starts the page on `listener`, over products that run. Must be called inside a tokio runtime.
///
/// # Errors
/// If the listener is unusable.
pub fn start(
    listener: TcpListener,
    options: Options,
    (baserow, token): (&Running, String),
    docmost: &Running,
) -> anyhow::Result<Running> {
    let mut templates = Environment::new();
    templates.add_template("page.html", include_str!("page.html"))?;
    let playground = Data::new(Playground {
        http: reqwest::Client::builder().timeout(PATIENCE).build()?,
        baserow: baserow.url(),
        baserow_token: token,
        docmost: docmost.url(),
        faults: docmost.faults.clone(),
        calls: docmost.calls.clone(),
        console: options.console_url,
        templates,
        said: Mutex::default(),
    });
    let served: io::Result<Running> = serve(listener, MANNERS, move |routes| {
        routes
            .app_data(playground)
            .route("/", web::get().to(view::page))
            .route("/style.css", web::get().to(view::style))
            .route("/script.js", web::get().to(view::script))
            .configure(acts::routes);
    });
    Ok(served?)
}

impl Playground {
    fn said(&self) -> MutexGuard<'_, String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows of a table, with the names of fields. The call is not logged, and no fault meets
    /// it.
    async fn rows(&self, table: &str) -> anyhow::Result<Vec<Value>> {
        let url = format!("{}/_sandbox/baserow/tables/{table}/rows", self.baserow);
        self.list(&url).await
    }

    async fn list(&self, url: &str) -> anyhow::Result<Vec<Value>> {
        let answer = self.http.get(url).send().await?.error_for_status()?;
        Ok(answer.json().await?)
    }

    /// The path of a table's rows in Baserow's interface, with a slash at its end.
    async fn path_of(&self, table: &str) -> anyhow::Result<String> {
        let tables = self.call(Method::GET, "/api/database/tables/all-tables/", None).await?;
        let mut tables = tables.as_array().into_iter().flatten();
        let found = tables.find(|found| found["name"] == table);
        let found = found.with_context(|| format!("Baserow has no table {table}"))?;
        Ok(format!("/api/database/rows/table/{}/", found["id"]))
    }

    /// Calls Baserow as a person's grid does: the webhooks of the table fire.
    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let url = format!("{}{path}?user_field_names=true", self.baserow);
        let mut request = self.http.request(method, url);
        request = request.header("Authorization", format!("Token {}", self.baserow_token));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        anyhow::ensure!(status.is_success(), "Baserow answered {status}: {text}");
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }
}
