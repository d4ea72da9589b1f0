//! The stand-in for Baserow.

use std::io;
use std::net::TcpListener;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use crate::server::{Manners, Running, serve};

const MANNERS: Manners = Manners {
    name: "Baserow",
    sign_of_life: &["/api/_health/"],
    body_limit: 32 * 1024 * 1024,
    failure,
};

/// How the stand-in is set up.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(id = "baserow")]
pub struct Options {}

/// Starts it on `listener`. Must be called inside a tokio runtime.
pub fn start(listener: TcpListener, _options: Options) -> io::Result<Running> {
    serve(listener, MANNERS, |routes| {
        routes.route("/api/_health/", web::get().to(|| async { "OK" }));
    })
}

/// A failure as the real one words it.
fn failure(status: StatusCode) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .body(format!("<h1>Server Error ({})</h1>", status.as_u16()))
}
