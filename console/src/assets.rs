//! The console's own style, script and icon. Their addresses change with their content, so browsers
//! may keep them.

use std::sync::LazyLock;

use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Path, ServiceConfig, get, resource};
use actix_web::{HttpResponse, http::StatusCode};
use sha2::{Digest as _, Sha256};

struct Asset {
    name: &'static str,
    kind: &'static str,
    content: &'static str,
}

const ASSETS: [Asset; 3] = [
    Asset {
        name: "style.css",
        kind: "text/css; charset=utf-8",
        content: include_str!("../assets/style.css"),
    },
    Asset {
        name: "console.js",
        kind: "text/javascript; charset=utf-8",
        content: include_str!("../assets/console.js"),
    },
    Asset {
        name: "icon.svg",
        kind: "image/svg+xml",
        content: include_str!("../assets/icon.svg"),
    },
];

static ADDRESSES: LazyLock<Vec<(&'static str, String)>> = LazyLock::new(|| {
    let address = |asset: &Asset| {
        let hash = hex::encode(Sha256::digest(asset.content));
        (asset.name, format!("/assets/{}/{}", &hash[..12], asset.name))
    };
    ASSETS.iter().map(address).collect()
});

/// The address of an asset.
pub(crate) fn address(name: &str) -> &'static str {
    let found = ADDRESSES.iter().find(|(known, _)| *known == name);
    found.map_or("", |(_, address)| address.as_str())
}

pub(crate) fn routes(config: &mut ServiceConfig) {
    config.service(resource("/assets/{hash}/{name}").route(get().to(asset)));
}

async fn asset(path: Path<(String, String)>) -> HttpResponse {
    let (_, name) = path.into_inner();
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return HttpResponse::new(StatusCode::NOT_FOUND);
    };
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, HeaderValue::from_static(asset.kind)))
        .insert_header((
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=31536000, immutable"),
        ))
        .body(asset.content)
}
