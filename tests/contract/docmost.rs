//! The sandbox's Docmost answers as the real one did: the captured exchanges, played again in the order in which they were taken.

#[path = "docmost/compare.rs"]
mod compare;
#[path = "docmost/replay.rs"]
mod replay;
#[path = "docmost/switches.rs"]
mod switches;

use std::collections::BTreeSet;

use passerelle_sandbox::faults::{Fault, FaultKind};
use replay::{Replay, Who};
use reqwest::Method;
use serde_json::{Value, json};
use test_support::eventually;

/// The captures that are not played, and why.
const NOT_PLAYED: [(&str, &str); 10] = [
    ("01a-before-setup-login", "the sandbox is set up from the start"),
    ("01b-before-setup-spaces", "the sandbox is set up from the start"),
    ("01d-setup", "the sandbox is set up from the start"),
    (
        "04G1-history",
        "history is written minutes after an edit; the sandbox keeps none",
    ),
    (
        "07e-body-5MiB",
        "the real server resets the connection while the body is sent; the sandbox answers 413",
    ),
    (
        "07g-body-0.9MiB-distinct-words",
        "the body was not kept; a unit test of the search index has one like it",
    ),
    ("08e-zombie-create", "not an exchange but a story; `switches` tells it"),
    ("10-concurrency", "figures of a load test"),
    (
        "10c-ambiguous-outcomes",
        "figures of a load test; `switches` has each outcome",
    ),
    (
        "08c-redis-down-health",
        "the sandbox has no second store; its health route is failed by a switch in 08a",
    ),
];

const GENERAL: &str = "01a202d9-a2b4-7f71-a1a6-3f16bb3e3358";
const MOVE_PARENT: &str = "01a202dd-3b85-7775-9992-2da8ee5307e0";
const MOVE_CHILD: &str = "01a202dd-3bb4-7c08-884f-70ced1a936ed";
const OTHER_PARENT: &str = "01a202dd-3bef-752f-a652-83d8961f5e0d";
const BRIDGE_SPACE: &str = "01a202da-621d-7fba-b1e0-d1ada4ab0e22";
const BY_BRIDGE: &str = "01a202e0-2412-75db-a35a-0c5c6b8a2595";

#[tokio::test]
async fn every_captured_exchange_has_the_same_answer_again() {
    let mut replay = Replay::start().unwrap();
    accounts(&mut replay).await.unwrap();
    spaces(&mut replay).await.unwrap();
    creates(&mut replay).await.unwrap();
    updates(&mut replay).await.unwrap();
    tree(&mut replay).await.unwrap();
    searches(&mut replay).await.unwrap();
    trash(&mut replay).await.unwrap();
    labels_and_shares(&mut replay).await.unwrap();
    members(&mut replay).await.unwrap();
    lost_content_and_sessions(&mut replay).await.unwrap();
    limits(&mut replay).await.unwrap();
    postgres_down(&mut replay).await.unwrap();
    redis_down(&mut replay).await.unwrap();
    assert_eq!(replay.differences.join("\n"), "");
    assert_eq!(not_accounted_for(&replay.played).unwrap(), BTreeSet::new());
}

/// Captures that were neither played nor excused.
fn not_accounted_for(played: &BTreeSet<String>) -> anyhow::Result<BTreeSet<String>> {
    let mut left = BTreeSet::new();
    for file in std::fs::read_dir(replay::captures())? {
        let file = file?.file_name();
        let name = file
            .to_str()
            .and_then(|name| name.strip_suffix(".json"))
            .map(str::to_owned);
        left.extend(
            name.filter(|name| !played.contains(name) && !NOT_PLAYED.iter().any(|(excused, _)| excused == name)),
        );
    }
    Ok(left)
}

async fn accounts(replay: &mut Replay) -> anyhow::Result<()> {
    use passerelle_sandbox::docmost::{OWNER_EMAIL, OWNER_PASSWORD};
    replay.log_in(Who::Admin, OWNER_EMAIL, OWNER_PASSWORD).await?;
    for (who, kind, life) in [
        (Who::Expired, "access", -10),
        (Who::ApiKey, "api_key", 60),
        (Who::Collab, "collab", 60),
    ] {
        let wanted = json!({"email": OWNER_EMAIL, "type": kind, "expiresInSeconds": life});
        let token = replay.control(Method::POST, "tokens", wanted).await?;
        let token = token["token"].as_str().unwrap_or_default().to_owned();
        replay.tokens.insert(who, token);
    }
    let tampered = format!("{}x", replay.tokens[&Who::Admin]);
    replay.tokens.insert(Who::Tampered, tampered);
    let admin = [
        "01c-setup-invalid",
        "01e-setup-again",
        "01f-login-ok",
        "01g-login-wrong-password",
        "01h-login-unknown-email",
        "01i-login-bad-email-400",
        "01j-me-cookie",
        "01k-me-bearer",
        "01l-me-no-token",
        "01m-me-garbage-bearer",
        "01o-me-bad-cookie-good-bearer",
        "01p-me-empty-body-no-content-type",
        "01q-me-json-ct-empty-body",
        "01r-api-keys-list",
        "01s-api-keys-create",
    ];
    replay.play(Who::Admin, &admin).await?;
    replay.play(Who::Tampered, &["01n-me-tampered"]).await
}

async fn spaces(replay: &mut Replay) -> anyhow::Result<()> {
    let names = [
        "02a-spaces-list",
        "02b-space-info-by-id",
        "02c-space-info-by-slug",
        "02d-space-info-unknown",
        "02e-space-info-nonuuid",
        "02f-space-create",
        "02g-space-create-dup-slug",
        "02g2-space-create-dup-slug-case",
        "02h-space-create-bad-slug",
        "02i-space-create-hyphen-slug",
        "02j-spaces-page1",
        "02k-spaces-page2",
        "02l-spaces-limit-too-big",
        "02m-spaces-bad-cursor",
        "02n-spaces-query",
    ];
    replay.play(Who::Admin, &names).await
}

async fn creates(replay: &mut Replay) -> anyhow::Result<()> {
    let names = [
        "03a-create-min",
        "03b-create-title-only",
        "03c-create-markdown",
        "03d-create-json",
        "03e-create-html",
        "03f-create-content-without-format",
        "03g-create-content-null-format",
        "03h-create-format-upper",
        "03i-create-bad-format",
        "03j-create-bad-json-content",
        "03k-create-json-string-content",
        "03l-create-empty-string-content",
        "03m-create-child",
        "03n-create-child-by-slugid",
        "03o-create-parent-missing",
        "03p-create-parent-garbage",
        "03q-create-same-title-1",
        "03r-create-same-title-2",
        "03s-create-space-unknown",
        "03t-create-space-not-uuid",
        "03u-create-no-space",
        "03v-create-title-number",
        "03w-create-title-null",
        "03x-create-title-empty",
        "03y-create-title-10k",
        "03z-create-title-nul",
        "03za-create-icon-long",
        "03zb-create-unknown-field",
        "03zc-create-no-token",
        "03zd-create-bad-token",
        "03ze-create-malformed-json",
        "03zf-create-no-content-type",
        "03zg-create-array-body",
        "03zh-get-method",
        "03zi-put-method",
        "03zj-title-with-slash-unicode",
        "03zk-create-extra-headers",
        "03zl-create-extra-headers-repeat",
        "03zm-nul-in-content",
        "03zn-lone-surrogate",
    ];
    replay.play(Who::Admin, &names).await
}

async fn updates(replay: &mut Replay) -> anyhow::Result<()> {
    let names = [
        "04a-info-default-json",
        "04b-info-by-slugid-markdown",
        "04c-info-html",
        "04c2-info-html-sanitised",
        "04d-info-unknown-uuid",
        "04e-info-unknown-slug",
        "04f-info-missing-pageid",
        "04g-info-no-token",
        "04h-update-title-icon",
        "04i-update-clear-title-icon-null",
        "04j-update-by-slugid",
        "04k-update-nothing",
        "04l-update-unknown",
        "04m-update-content-no-operation",
        "04n-update-content-no-format",
        "04o-update-content-replace-md",
        "04o2-info-after-replace",
        "04p-update-content-append-md",
        "04q-update-content-prepend-html",
        "04q2-info-after-prepend",
        "04r-update-content-replace-json",
        "04s-update-bad-content",
        "04s2-info-after-bad-content",
        "04t-update-empty-content-replace",
        "04u-update-spaceid-parent-ignored",
        "04v-update-bad-operation",
    ];
    replay.play(Who::Admin, &names).await?;
    let ids = ("01a202dc-22e1-753b-a346-8858accb5066", "kXtAcFBQii");
    replay
        .page(Who::Admin, ids, json!({"spaceId": GENERAL, "title": "no ydoc"}))
        .await?;
    let names = [
        "04w-update-content-on-empty-page",
        "04x-update-content-by-slugid",
        "04x2-info",
    ];
    replay.play(Who::Admin, &names).await
}

async fn tree(replay: &mut Replay) -> anyhow::Result<()> {
    let page = |title: &str, parent: Value| json!({"spaceId": GENERAL, "title": title, "parentPageId": parent});
    let admin = Who::Admin;
    replay
        .page(admin, (MOVE_PARENT, "2bnW1AHoL5"), page("Move parent", Value::Null))
        .await?;
    replay
        .page(
            admin,
            (MOVE_CHILD, "SL5s2tYgz4"),
            page("Move child", json!(MOVE_PARENT)),
        )
        .await?;
    replay
        .page(admin, (OTHER_PARENT, "R6cPFg50Jw"), page("Other parent", Value::Null))
        .await?;
    let below = ("01a202dd-3d1f-7fec-bbee-500952632e3d", "(never seen)");
    let names = [
        "04A1-move-to-parent",
        "04A2-move-to-root",
        "04A3-move-no-position",
        "04A4-move-bad-position",
        "04A5-move-self",
        "04A6-move-unknown-parent",
    ];
    replay.play(admin, &names).await?;
    replay.page(admin, below, page("Below", json!(OTHER_PARENT))).await?;
    replay
        .play(admin, &["04A7-move-cycle", "04A8-info-after-cycle"])
        .await?;
    let to_root = json!({"pageId": OTHER_PARENT, "parentPageId": null, "position": "a2000"});
    replay.call(admin, "pages/move", to_root).await?;
    let back = json!({"pageId": MOVE_CHILD, "parentPageId": MOVE_PARENT, "position": "a0000"});
    replay.call(admin, "pages/move", back).await?;
    let names = [
        "04B1-sidebar-root",
        "04B2-sidebar-root-page2",
        "04B3-sidebar-children",
        "04B3b-sidebar-children-slugid",
        "04B4-sidebar-nothing",
        "04B5-sidebar-unknown-page",
        "04B6-sidebar-limit100",
        "04B7-sidebar-limit101",
        "04C1-recent-space",
        "04C2-recent-all",
        "04C3-created-by-user",
        "04C4-recent-unknown-space",
        "04D1-breadcrumbs",
    ];
    replay.play(admin, &names).await
}

async fn searches(replay: &mut Replay) -> anyhow::Result<()> {
    let ids = ("01a202dd-4265-7191-aafe-1f3040614b2f", "HUemWvBln2");
    let body = "Some body mention quagga-77 brdgext12x345";
    let page = json!({"spaceId": GENERAL, "title": "Zebrafish row 4711", "content": body, "format": "markdown"});
    replay.page(Who::Admin, ids, page).await?;
    let names = [
        "04E1-search-just-created-title",
        "04E2-search-body-token",
        "04E3-search-body-hyphen-token",
        "04E4-search-exact-title",
        "04E5-search-empty",
        "04E6-search-special",
        "04E7-search-stopword",
        "04E8-search-suggest",
        "04E9-search-nohit",
        "04E10-search-creator-filter",
    ];
    replay.play(Who::Admin, &names).await
}

async fn trash(replay: &mut Replay) -> anyhow::Result<()> {
    let names = [
        "04F1-delete-trash",
        "04F2-info-trashed-page",
        "04F3-info-trashed-child",
        "04F4-update-trashed",
        "04F4b-update-content-trashed",
        "04F5-create-under-trashed-parent",
        "04F6-delete-again",
        "04F7-trash-list",
        "04F8-restore",
        "04F8b-restore-not-trashed",
        "04F9-delete-unknown",
    ];
    replay.play(Who::Admin, &names).await?;
    let ids = ("01a202dd-5144-7923-8fba-36f4135bab93", "E2Z5lYe04b");
    replay
        .page(Who::Admin, ids, json!({"spaceId": GENERAL, "title": "slug delete"}))
        .await?;
    let names = [
        "04F9b-delete-by-slugid",
        "04F9c-info-after-delete-by-slugid",
        "04F10-delete-permanent",
        "04F11-info-after-permanent",
        "04F12-update-after-permanent",
        "04F13-restore-after-permanent",
        "04H1-export-markdown",
        "04H2-export-html",
        "04I1-duplicate",
    ];
    replay.play(Who::Admin, &names).await
}

async fn labels_and_shares(replay: &mut Replay) -> anyhow::Result<()> {
    let names = [
        "06a-labels-add",
        "06b-labels-add-again",
        "06c-labels-of-page",
        "06d-pages-by-label-name",
        "06e-pages-by-label-unknown",
        "06f-labels-bad-name",
        "06f2-labels-too-long",
        "06f3-labels-space-upper",
        "06g-labels-list",
        "06h-label-on-second-page-same-name",
        "06i-pages-by-label-two",
        "06j-label-remove",
    ];
    replay.play(Who::Admin, &names).await?;
    let trashed = "01a202dd-5d58-7b12-8afc-388c88498484";
    let page = json!({"spaceId": GENERAL, "title": "labelled, then trashed"});
    replay.page(Who::Admin, (trashed, "(not seen)"), page).await?;
    let label = json!({"pageId": trashed, "names": ["baserow-t12-r777"]});
    replay.call(Who::Admin, "pages/labels/add", label).await?;
    replay
        .call(Who::Admin, "pages/delete", json!({"pageId": trashed}))
        .await?;
    let names = [
        "06k-pages-by-label-trashed",
        "06k2-labels-add-on-trashed",
        "05a-share-create",
        "05b-share-create-again",
        "05c-share-for-page",
        "05d-shares-list",
        "05e-share-info-public",
        "05f-share-page-info-public",
        "05g-share-delete",
        "05h-share-delete-again",
        "05i-share-create-unknown",
        "05j-share-for-page-none",
        "06m-audit",
        "06n-webhooks",
        "07a-health",
        "07b-health-live",
        "07c-version",
        "07d-root",
    ];
    replay.play(Who::Admin, &names).await
}

async fn members(replay: &mut Replay) -> anyhow::Result<()> {
    let page = |title: &str| json!({"spaceId": BRIDGE_SPACE, "title": title});
    let first = ("01a202df-0cb6-7b81-a67a-d8680deb007d", "(first)");
    replay.page(Who::Admin, first, page("first")).await?;
    let invites = [
        "01w-invite-create",
        "01x-invites-list",
        "01y-invite-link",
        "01z-invite-accept",
    ];
    replay.play(Who::Admin, &invites).await?;
    replay
        .log_in(Who::Bridge, "bridge@bridge.test", "Bridge-Pass-1")
        .await?;
    let outside = [
        "01za-bridge-me",
        "02o-bridge-spaces",
        "02p-bridge-space-create",
        "02q-space-info-nonmember",
        "04d2-info-nonmember-space",
        "04d3-update-nonmember-space",
        "03zo-bridge-create-in-nonmember-space",
    ];
    replay.play(Who::Bridge, &outside).await?;
    replay
        .page(
            Who::Admin,
            ("01a202df-f43b-7f02-b86b-f86564bc70ae", "nBRrrSazKY"),
            page("secret"),
        )
        .await?;
    replay.play(Who::Admin, &["02r-space-members-add-reader"]).await?;
    replay.control(Method::DELETE, "roles", Value::Null).await?;
    replay
        .play(
            Who::Bridge,
            &["03zp-reader-create", "04d4-reader-update", "04d5-reader-info"],
        )
        .await?;
    replay.play(Who::Admin, &["02s-space-member-role-writer"]).await?;
    replay.play(Who::Bridge, &["03zq0-writer-within-5s-cache"]).await?;
    replay.control(Method::DELETE, "roles", Value::Null).await?;
    replay
        .play(Who::Bridge, &["03zq-writer-create", "04F14-writer-delete-permanent"])
        .await?;
    let title = json!({"pageId": BY_BRIDGE, "title": "bridge title"});
    replay.call(Who::Bridge, "pages/update", title).await?;
    let position = json!({"pageId": BY_BRIDGE, "parentPageId": null, "position": "a0000"});
    replay.call(Who::Bridge, "pages/move", position).await?;
    let text = json!({"pageId": BY_BRIDGE, "content": "human text", "format": "markdown", "operation": "replace"});
    replay.call(Who::Admin, "pages/update", text).await?;
    replay.play(Who::Admin, &["04J1-info-two-contributors"]).await
}

async fn lost_content_and_sessions(replay: &mut Replay) -> anyhow::Result<()> {
    let ids = ("01a202e0-29c8-7f48-b160-9ade1648c797", "lc7SwjkJKj");
    let page = json!({"spaceId": GENERAL, "title": "nul update", "content": "orig", "format": "markdown"});
    replay.page(Who::Admin, ids, page).await?;
    let names = [
        "04y-update-content-nul",
        "04y2-info-after-nul",
        "04y3-update-after-nul-good",
        "04y4-info-after-nul-good",
        "04y5-update-title-nul",
        "04z-clear-content-json",
        "04z2-clear-content-md-space",
    ];
    replay.play(Who::Admin, &names).await?;
    replay.play(Who::Expired, &["01t-me-expired-token"]).await?;
    replay.play(Who::ApiKey, &["01u-me-apikey-typed-token"]).await?;
    replay.play(Who::Collab, &["01v-me-collab-typed-token"]).await?;
    let first = replay.tokens[&Who::Bridge].clone();
    replay
        .log_in(Who::Bridge, "bridge@bridge.test", "Bridge-Pass-1")
        .await?;
    replay
        .play(Who::Bridge, &["01zb-sessions", "01zc-logout", "01zd-me-after-logout"])
        .await?;
    replay.tokens.insert(Who::Bridge, first);
    replay.play(Who::Bridge, &["01ze-bridge-first-token-still-ok"]).await
}

async fn limits(replay: &mut Replay) -> anyhow::Result<()> {
    let space = replay.known.ours(GENERAL).cloned().unwrap_or_default();
    let with_text =
        |text: String| json!({"spaceId": space, "title": "big 0.9", "content": text, "format": "markdown"}).to_string();
    let titled = |length: usize| {
        let title: String = "word ".chars().cycle().take(length).collect();
        json!({"spaceId": space, "title": title}).to_string()
    };
    let bodies = [
        ("07e-body-0.9MiB", with_text("lorem ".repeat(157_000))),
        ("07e-body-1.1MiB", with_text("lorem ".repeat(190_000))),
        ("07f-title-100000", titled(100_000)),
        ("07f-title-900000", titled(900_000)),
    ];
    for (name, body) in bodies {
        replay.play_body(Who::Admin, name, Some(body)).await?;
    }
    replay.control(Method::DELETE, "logins", Value::Null).await?;
    for _ in 0..10 {
        replay.play(Who::Admin, &["01g-login-wrong-password"]).await?;
    }
    let names = [
        "07h-login-429",
        "07i-login-429-valid-credentials",
        "07j-login-other-xff",
        "07k-users-me-not-throttled",
    ];
    replay.play(Who::Admin, &names).await?;
    replay.control(Method::DELETE, "logins", Value::Null).await?;
    Ok(())
}

/// Without PostgreSQL everything fails at once, and works at once when it is back.
async fn postgres_down(replay: &mut Replay) -> anyhow::Result<()> {
    let health = replay::captures().join("08a-pg-down-health.json");
    let health: Value = serde_json::from_str(&std::fs::read_to_string(health)?)?;
    let live = Fault::on("/api/health/live", FaultKind::Delay { ms: 0 });
    let status = |status: u16, body: Option<Value>| FaultKind::Status {
        status,
        headers: [("content-type".to_owned(), "application/json; charset=utf-8".to_owned())].into(),
        body,
    };
    let mut unwell = Fault::on("/api/health", status(503, Some(health["response"]["body"].clone())));
    if let FaultKind::Status { headers, .. } = &mut unwell.kind {
        let caching = "no-cache, no-store, must-revalidate";
        headers.insert("cache-control".to_owned(), caching.to_owned());
    }
    replay
        .server
        .faults
        .set(vec![live, unwell, Fault::on("*", status(500, None))]);
    let down = [
        "08a-pg-down-create",
        "08a-pg-down-health",
        "08a-pg-down-health-live",
        "08a-pg-down-info",
        "08a-pg-down-labels-add",
        "08a-pg-down-login",
        "08a-pg-down-me",
        "08a-pg-down-no-token",
        "08a-pg-down-search",
        "08a-pg-down-update-content",
        "08a-pg-down-update-title",
    ];
    replay.play(Who::Admin, &down).await?;
    replay.server.faults.clear();
    let back = [
        "08b-pg-back-create",
        "08b-pg-back-info",
        "08b-pg-back-update-content",
        "08b-pg-back-health",
    ];
    replay.play(Who::Admin, &back).await
}

/// Without Redis much hangs, and is carried out later although the client has given up.
async fn redis_down(replay: &mut Replay) -> anyhow::Result<()> {
    let later = FaultKind::ZombieWrite {
        after_ms: None,
        after_release_ms: 0,
    };
    let hanging = ["/api/auth", "/api/pages"].map(|path| Fault::on(path, later.clone()));
    replay.server.faults.set(hanging.to_vec());
    let up = [
        "08c-redis-down-me",
        "08c-redis-down-search",
        "08c-redis-down-health-live",
        "08c-redis-down-no-token",
    ];
    replay.play(Who::Admin, &up).await?;
    let unanswered = [
        "08c-redis-down-create",
        "08c-redis-down-login",
        "08c-redis-down-info",
        "08c-redis-down-labels-add",
        "08c-redis-down-update-title",
        "08c-redis-down-update-content",
    ];
    replay.play_unanswered(Who::Admin, &unanswered).await?;
    replay.server.faults.clear();
    let calls = replay.server.calls.clone();
    eventually("the abandoned calls are carried out", async || {
        let waiting = calls.list().into_iter().filter(|call| call.status.is_none()).count();
        if waiting == 0 { Ok(()) } else { Err(waiting) }
    })
    .await;
    let back = [
        "08d-redis-back-info",
        "08d-redis-back-create",
        "08d-redis-back-update-content",
        "08d-redis-back-login",
        "08d-redis-back-health",
    ];
    replay.play(Who::Admin, &back).await?;
    let ids = ("01a202e8-900d-77cf-bb61-18968b7aacca", "(moved)");
    replay
        .page(Who::Admin, ids, json!({"spaceId": GENERAL, "title": "dup source"}))
        .await?;
    replay.play(Who::Admin, &["04A9-move-to-space"]).await
}
