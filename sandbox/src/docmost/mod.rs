//! The stand-in for Docmost.

use std::io;
use std::net::TcpListener;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::server::{Manners, Running, serve};

const MANNERS: Manners = Manners {
    name: "Docmost",
    sign_of_life: &["/api/health/live"],
    body_limit: 1024 * 1024,
    failure,
};

/// How the stand-in is set up.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "docmost")]
pub struct Options {
    /// The e-mail of the bridge's account in Docmost.
    #[arg(long, default_value = "bridge@passerelle.test")]
    pub docmost_email: String,
    /// The password of the bridge's account in Docmost.
    #[arg(long, default_value = "sandbox-bridge")]
    pub docmost_password: String,
}

/// Starts it on `listener`. Must be called inside a tokio runtime.
pub fn start(listener: TcpListener, _options: Options) -> io::Result<Running> {
    serve(listener, MANNERS, |routes| {
        routes.route("/api/health/live", web::get().to(|| async { "ok" }));
    })
}

/// A failure as the real one words it.
fn failure(status: StatusCode) -> HttpResponse {
    let message = match status {
        StatusCode::INTERNAL_SERVER_ERROR => "Internal server error",
        StatusCode::PAYLOAD_TOO_LARGE => "Request body is too large",
        StatusCode::TOO_MANY_REQUESTS => "Too many requests",
        other => other.canonical_reason().unwrap_or("Failure"),
    };
    HttpResponse::build(status).json(json!({"statusCode": status.as_u16(), "message": message}))
}
