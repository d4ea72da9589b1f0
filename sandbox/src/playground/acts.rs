//! What the buttons do. Each says what it did, and leads back to the page.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{self, Data, Form, Path, ServiceConfig};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{PROJECTS, Playground};
use crate::faults::{Fault, FaultKind};

/// So many answers of each kind of write are lost.
const LOST_ANSWERS: u32 = 2;

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/rows", web::post().to(create))
        .route("/rows/{row}", web::post().to(change))
        .route("/rows/{row}/delete", web::post().to(delete))
        .route("/rows/{row}/twice", web::post().to(change_twice))
        .route("/docmost/broken", web::post().to(break_docmost))
        .route("/docmost/losing", web::post().to(lose_answers))
        .route("/docmost/mended", web::post().to(mend_docmost));
}

/// The cells of a row that a person edits.
#[derive(Debug, Deserialize)]
struct Cells {
    name: String,
    /// Empty for none.
    status: String,
    /// The number of the client's row; empty for none.
    client: String,
}

impl Cells {
    fn fields(&self) -> Value {
        let status = Some(self.status.as_str()).filter(|status| !status.is_empty());
        let client: Vec<u64> = self.client.parse().into_iter().collect();
        json!({"Nom": self.name, "Statut": status, "Client": client})
    }
}

fn back(playground: &Playground, done: anyhow::Result<String>) -> HttpResponse {
    *playground.said() = done.unwrap_or_else(|error| format!("That did not work: {error:#}"));
    HttpResponse::SeeOther().insert_header((header::LOCATION, "/")).finish()
}

async fn create(playground: Data<Playground>, cells: Form<Cells>) -> HttpResponse {
    let made = async {
        let path = playground.path_of(PROJECTS).await?;
        let row = playground.call(Method::POST, &path, Some(cells.fields())).await?;
        Ok(format!("Row {} was created.", row["id"]))
    };
    back(&playground, made.await)
}

async fn change(playground: Data<Playground>, row: Path<u64>, cells: Form<Cells>) -> HttpResponse {
    let changed = async {
        let path = path_of_row(&playground, *row).await?;
        playground.call(Method::PATCH, &path, Some(cells.fields())).await?;
        Ok(format!("Row {row} was changed."))
    };
    back(&playground, changed.await)
}

async fn delete(playground: Data<Playground>, row: Path<u64>) -> HttpResponse {
    let deleted = async {
        let path = path_of_row(&playground, *row).await?;
        playground.call(Method::DELETE, &path, None).await?;
        Ok(format!("Row {row} was deleted."))
    };
    back(&playground, deleted.await)
}

/// Two people change the row at the same time.
async fn change_twice(playground: Data<Playground>, row: Path<u64>) -> HttpResponse {
    let changed = async {
        let path = path_of_row(&playground, *row).await?;
        let write = |status| playground.call(Method::PATCH, &path, Some(json!({"Statut": status})));
        let (first, second) = tokio::join!(write("En cours"), write("Terminé"));
        first?;
        second?;
        let now = playground.call(Method::GET, &path, None).await?;
        let status = now["Statut"]["value"].as_str().unwrap_or("–").to_owned();
        Ok(format!(
            "Two updates of row {row} were sent at once: En cours and Terminé. The later one is {status}, and so the page becomes."
        ))
    };
    back(&playground, changed.await)
}

async fn path_of_row(playground: &Playground, row: u64) -> anyhow::Result<String> {
    Ok(format!("{}{row}/", playground.path_of(PROJECTS).await?))
}

async fn break_docmost(playground: Data<Playground>) -> HttpResponse {
    playground.faults.set(vec![Fault::on("*", FaultKind::Reset)]);
    back(
        &playground,
        Ok("Docmost is broken: every call to it is cut off.".to_owned()),
    )
}

async fn lose_answers(playground: Data<Playground>) -> HttpResponse {
    let lost = ["/api/pages/create", "/api/pages/update"]
        .map(|path| Fault::on(path, FaultKind::LostAnswer).times(LOST_ANSWERS));
    playground.faults.set(lost.to_vec());
    let said = format!(
        "Docmost does as it is told, and does not say so: the next {LOST_ANSWERS} creates and {LOST_ANSWERS} updates."
    );
    back(&playground, Ok(said))
}

async fn mend_docmost(playground: Data<Playground>) -> HttpResponse {
    playground.faults.clear();
    back(&playground, Ok("Docmost is whole.".to_owned()))
}
