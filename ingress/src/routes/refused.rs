//! What is not an address of ours, and what asks an address by the wrong method.

use actix_web::HttpResponse;

use crate::metrics;
use crate::rejection::Rejection;

/// The answer to an unknown path.
pub(crate) async fn not_found() -> HttpResponse {
    refuse(&Rejection::NotFound)
}

/// The answer to a known path with an unknown method.
pub(crate) async fn method_not_allowed() -> HttpResponse {
    refuse(&Rejection::MethodNotAllowed)
}

fn refuse(rejection: &Rejection) -> HttpResponse {
    metrics::refused(rejection.reason());
    rejection.response()
}
