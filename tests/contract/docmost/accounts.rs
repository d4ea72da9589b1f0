//! Accounts, spaces, sessions, and what a member of a space may do.

use passerelle_sandbox::docmost::{OWNER_EMAIL, OWNER_PASSWORD};
use reqwest::Method;
use serde_json::{Value, json};

use super::replay::{Replay, Who};

/// The account that the captured invitation made.
const BRIDGE_EMAIL: &str = "bridge@bridge.test";
const BRIDGE_PASSWORD: &str = "Bridge-Pass-1";
const BRIDGE_SPACE: &str = "01a202da-621d-7fba-b1e0-d1ada4ab0e22";
const BY_BRIDGE: &str = "01a202e0-2412-75db-a35a-0c5c6b8a2595";

pub(crate) async fn accounts(replay: &mut Replay) -> anyhow::Result<()> {
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
        "01w-invite-create",
        "01x-invites-list",
        "01y-invite-link",
        "01z-invite-accept",
    ];
    replay.play(Who::Admin, &admin).await?;
    replay.play(Who::Tampered, &["01n-me-tampered"]).await
}

pub(crate) async fn spaces(replay: &mut Replay) -> anyhow::Result<()> {
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

pub(crate) async fn members(replay: &mut Replay) -> anyhow::Result<()> {
    let page = |title: &str| json!({"spaceId": BRIDGE_SPACE, "title": title});
    replay
        .page("01a202df-0cb6-7b81-a67a-d8680deb007d", "(first)", page("first"))
        .await?;
    replay.log_in(Who::Bridge, BRIDGE_EMAIL, BRIDGE_PASSWORD).await?;
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
        .page("01a202df-f43b-7f02-b86b-f86564bc70ae", "nBRrrSazKY", page("secret"))
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

pub(crate) async fn sessions(replay: &mut Replay) -> anyhow::Result<()> {
    replay.play(Who::Expired, &["01t-me-expired-token"]).await?;
    replay.play(Who::ApiKey, &["01u-me-apikey-typed-token"]).await?;
    replay.play(Who::Collab, &["01v-me-collab-typed-token"]).await?;
    let first = replay.tokens[&Who::Bridge].clone();
    replay.log_in(Who::Bridge, BRIDGE_EMAIL, BRIDGE_PASSWORD).await?;
    replay
        .play(Who::Bridge, &["01zc-logout", "01zd-me-after-logout"])
        .await?;
    replay.tokens.insert(Who::Bridge, first);
    replay.play(Who::Bridge, &["01ze-bridge-first-token-still-ok"]).await
}
