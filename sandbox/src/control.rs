//! The control routes that every product has on its own port: fault switches and the log of calls.
//! See [`crate::faults`].

use actix_web::web::{self, Data, Json, ServiceConfig};
use actix_web::{HttpResponse, Responder};

use crate::calls::Calls;
use crate::faults::{Fault, Switches};

/// The prefix of the sandbox's own routes. Faults do not apply to them, and they are not logged.
pub(crate) const PREFIX: &str = "/_sandbox/";

/// Adds the routes that every product has. A product may add its own below [`PREFIX`].
pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(
            web::resource("/_sandbox/faults")
                .route(web::get().to(list_faults))
                .route(web::put().to(set_faults))
                .route(web::post().to(add_fault))
                .route(web::delete().to(clear_faults)),
        )
        .service(
            web::resource("/_sandbox/log")
                .route(web::get().to(list_calls))
                .route(web::delete().to(clear_calls)),
        );
}

async fn list_faults(faults: Data<Switches>) -> impl Responder {
    Json(faults.list())
}

async fn set_faults(faults: Data<Switches>, list: Json<Vec<Fault>>) -> impl Responder {
    faults.set(list.into_inner());
    Json(faults.list())
}

async fn add_fault(faults: Data<Switches>, fault: Json<Fault>) -> impl Responder {
    faults.add(fault.into_inner());
    Json(faults.list())
}

async fn clear_faults(faults: Data<Switches>) -> impl Responder {
    faults.clear();
    HttpResponse::NoContent()
}

async fn list_calls(calls: Data<Calls>) -> impl Responder {
    Json(calls.list())
}

async fn clear_calls(calls: Data<Calls>) -> impl Responder {
    calls.clear();
    HttpResponse::NoContent()
}
