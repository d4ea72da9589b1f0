//! Pages: created, updated, moved, listed, searched, trashed.

use serde_json::{Value, json};

use super::GENERAL;
use super::replay::{Replay, Who};

const MOVE_PARENT: &str = "01a202dd-3b85-7775-9992-2da8ee5307e0";
const MOVE_CHILD: &str = "01a202dd-3bb4-7c08-884f-70ced1a936ed";
const OTHER_PARENT: &str = "01a202dd-3bef-752f-a652-83d8961f5e0d";

pub(crate) async fn creates(replay: &mut Replay) -> anyhow::Result<()> {
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

pub(crate) async fn updates(replay: &mut Replay) -> anyhow::Result<()> {
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
    replay
        .page(
            "01a202dc-22e1-753b-a346-8858accb5066",
            "kXtAcFBQii",
            json!({"spaceId": GENERAL, "title": "no ydoc"}),
        )
        .await?;
    let names = [
        "04w-update-content-on-empty-page",
        "04x-update-content-by-slugid",
        "04x2-info",
    ];
    replay.play(Who::Admin, &names).await
}

pub(crate) async fn lost_content(replay: &mut Replay) -> anyhow::Result<()> {
    let page = json!({"spaceId": GENERAL, "title": "nul update", "content": "orig", "format": "markdown"});
    replay
        .page("01a202e0-29c8-7f48-b160-9ade1648c797", "lc7SwjkJKj", page)
        .await?;
    let names = [
        "04y-update-content-nul",
        "04y2-info-after-nul",
        "04y3-update-after-nul-good",
        "04y4-info-after-nul-good",
        "04y5-update-title-nul",
        "04z-clear-content-json",
        "04z2-clear-content-md-space",
    ];
    replay.play(Who::Admin, &names).await
}

pub(crate) async fn tree(replay: &mut Replay) -> anyhow::Result<()> {
    let page = |title: &str, parent: Value| json!({"spaceId": GENERAL, "title": title, "parentPageId": parent});
    let admin = Who::Admin;
    replay
        .page(MOVE_PARENT, "2bnW1AHoL5", page("Move parent", Value::Null))
        .await?;
    replay
        .page(MOVE_CHILD, "SL5s2tYgz4", page("Move child", json!(MOVE_PARENT)))
        .await?;
    replay
        .page(OTHER_PARENT, "R6cPFg50Jw", page("Other parent", Value::Null))
        .await?;
    let names = [
        "04A1-move-to-parent",
        "04A2-move-to-root",
        "04A3-move-no-position",
        "04A4-move-bad-position",
        "04A5-move-self",
        "04A6-move-unknown-parent",
    ];
    replay.play(admin, &names).await?;
    replay
        .page(
            "01a202dd-3d1f-7fec-bbee-500952632e3d",
            "(never seen)",
            page("Below", json!(OTHER_PARENT)),
        )
        .await?;
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
    ];
    replay.play(admin, &names).await
}

pub(crate) async fn searches(replay: &mut Replay) -> anyhow::Result<()> {
    let body = "Some body mention quagga-77 brdgext12x345";
    let page = json!({"spaceId": GENERAL, "title": "Zebrafish row 4711", "content": body, "format": "markdown"});
    replay
        .page("01a202dd-4265-7191-aafe-1f3040614b2f", "HUemWvBln2", page)
        .await?;
    let names = [
        "04E1-search-just-created-title",
        "04E2-search-body-token",
        "04E3-search-body-hyphen-token",
        "04E4-search-exact-title",
        "04E5-search-empty",
        "04E6-search-special",
        "04E7-search-stopword",
        "04E9-search-nohit",
        "04E10-search-creator-filter",
    ];
    replay.play(Who::Admin, &names).await
}

pub(crate) async fn trash(replay: &mut Replay) -> anyhow::Result<()> {
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
    replay
        .page(
            "01a202dd-5144-7923-8fba-36f4135bab93",
            "E2Z5lYe04b",
            json!({"spaceId": GENERAL, "title": "slug delete"}),
        )
        .await?;
    let names = [
        "04F9b-delete-by-slugid",
        "04F9c-info-after-delete-by-slugid",
        "04F10-delete-permanent",
        "04F11-info-after-permanent",
        "04F12-update-after-permanent",
        "04F13-restore-after-permanent",
        "04I1-duplicate",
    ];
    replay.play(Who::Admin, &names).await
}

pub(crate) async fn labels_and_shares(replay: &mut Replay) -> anyhow::Result<()> {
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
    replay.page(trashed, "(not seen)", page).await?;
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
        "05g-share-delete",
        "05h-share-delete-again",
        "05i-share-create-unknown",
        "05j-share-for-page-none",
        "06m-audit",
        "06n-webhooks",
        "07a-health",
        "07b-health-live",
        "07d-root",
    ];
    replay.play(Who::Admin, &names).await
}
