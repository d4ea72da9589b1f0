//! What the page shows.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Data;
use minijinja::value::Serde;
use minijinja::{Value as Shown, context};
use serde_json::Value;

use super::{CLIENTS, PROJECTS, Playground};
use crate::calls::Call;

/// The latest calls that are listed.
const CALLS: usize = 12;
/// The statuses of a project.
const STATUSES: [&str; 3] = ["Brouillon", "En cours", "Terminé"];
/// Wiki pages bring their own styles, and no scripts.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

pub(super) async fn page(playground: Data<Playground>) -> HttpResponse {
    match playground.shown().await {
        Ok(html) => HttpResponse::Ok()
            .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .content_type("text/html; charset=utf-8")
            .body(html),
        Err(error) => HttpResponse::BadGateway().body(format!("The page cannot be made: {error:#}")),
    }
}

pub(super) async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .body(include_str!("style.css"))
}

pub(super) async fn script() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/javascript; charset=utf-8")
        .body(include_str!("script.js"))
}

impl Playground {
    async fn shown(&self) -> anyhow::Result<String> {
        let (projects, clients) = (self.rows(PROJECTS).await?, self.rows(CLIENTS).await?);
        let pages = self.list(&format!("{}/_sandbox/pages", self.docmost)).await?;
        let faults = self.faults.list();
        let is_broken = faults.iter().any(|fault| fault.fault.times.is_none());
        let content = context! {
            console => self.console.as_deref(),
            said => self.said().as_str(),
            statuses => STATUSES,
            clients => clients.iter().map(|client| context! {
                id => client["id"].as_u64(),
                name => client["Name"].as_str(),
            }).collect::<Vec<_>>(),
            rows => projects.iter().map(row_of).collect::<Vec<_>>(),
            pages => pages.iter().map(page_of).collect::<Vec<_>>(),
            is_broken => is_broken,
            met => faults.iter().map(|fault| fault.used).sum::<u32>(),
            left => faults.iter().filter_map(|fault| Some(fault.fault.times?.saturating_sub(fault.used))).sum::<u32>(),
            calls => self.calls.list().iter().rev().take(CALLS).map(call_of).collect::<Vec<_>>(),
        };
        Ok(self.templates.get_template("page.html")?.render(content)?)
    }
}

fn row_of(row: &Value) -> Shown {
    context! {
        id => row["id"].as_u64(),
        name => row["Nom"].as_str(),
        status => row["Statut"]["value"].as_str(),
        client => row["Client"][0]["id"].as_u64(),
    }
}

fn page_of(page: &Value) -> Shown {
    let mut labels = page["labels"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    context! {
        id => page["id"].as_str(),
        title => page["title"].as_str(),
        icon => page["icon"].as_str(),
        row => labels.find_map(|label| label.strip_prefix("baserow-")?.split_once("-r")).map(|(_, row)| row),
        is_trashed => page["deletedAt"].is_string(),
        html => page["html"].as_str(),
    }
}

fn call_of(call: &Call) -> Shown {
    context! {
        number => call.number,
        path => call.path.as_str(),
        method => call.method.as_str(),
        fault => call.fault.as_deref(),
        status => Serde(call.status),
    }
}
