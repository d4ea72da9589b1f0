//! The limit for the ingress: an actix-web handler that checks the same signature and stores
//! nothing.

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::load::SECRET;

/// Serves until the process ends.
pub(crate) fn serve(port: u16) -> anyhow::Result<()> {
    actix_web::rt::System::new().block_on(async move {
        let server = HttpServer::new(|| {
            App::new()
                .app_data(web::PayloadConfig::new(8 << 20))
                .route("/api/webhooks/baserow/{source}", web::post().to(answer))
        });
        server.workers(2).bind(("127.0.0.1", port))?.run().await
    })?;
    Ok(())
}

async fn answer(request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let signature = request
        .headers()
        .get("X-Baserow-Signature")
        .and_then(|value| hex::decode(value.as_bytes()).ok());
    let proven = signature.is_some_and(|signature| {
        Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).is_ok_and(|mut mac| {
            mac.update(&body);
            mac.verify_slice(&signature).is_ok()
        })
    });
    if !proven {
        return HttpResponse::Unauthorized().finish();
    }
    HttpResponse::Ok()
        .content_type("application/json")
        .body(r#"{"accepted":true,"status":"queued"}"#)
}
