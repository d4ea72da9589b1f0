//! The console in a real browser, over a whole bridge that runs.

mod acts;
mod browser;
mod driver;
mod pictures;
mod playground;
mod reconcile;
mod rules;
mod site;

use serde_json::json;

use browser::{Browser, PHONE, WIDE};
use site::Site;

/// Every page that a link of the console leads to.
const PAGES: [&str; 15] = [
    "/",
    "/why",
    "/why?q=nothing+known",
    "/events",
    "/events?list=synced",
    "/letters",
    "/letters/run",
    "/notices",
    "/operate",
    "/acts",
    "/waiting",
    "/waiting?queue=mail&state=held",
    "/rows",
    "/reconcile",
    "/rules",
];

#[tokio::test]
async fn a_person_signs_in_and_out_and_no_page_has_an_error_or_a_blocked_resource() {
    let Some(browser) = Browser::open("en", WIDE).await.unwrap() else {
        return;
    };
    let site = Site::build().await.unwrap();
    let row = site.project("Refonte du site").await.unwrap();
    browser.goto(&site.address("/")).await.unwrap();
    browser.reads("Sign in").await;
    browser.sign_in("camille", "a wrong password").await.unwrap();
    browser.reads("do not fit together").await;
    browser.sign_in("camille", &site.password).await.unwrap();
    browser.reads("All is well: 1 page in step").await;
    for page in PAGES
        .iter()
        .map(|page| (*page).to_owned())
        .chain([format!("/why?q={row}")])
    {
        browser.goto(&site.address(&page)).await.unwrap();
        browser.reads("camille").await;
        browser.has_shown_no_error().await.unwrap();
        browser.fits().await.unwrap();
    }
    browser.press("Sign out").await.unwrap();
    browser.reads("See what the bridge does").await;
    browser.goto(&site.address("/")).await.unwrap();
    browser.reads("See what the bridge does").await;
    // A wrong password is an answer, and the browser counts it among the errors.
    browser.close().await.unwrap();
}

#[tokio::test]
async fn the_overview_shows_an_outage_coming_and_going_without_a_reload() {
    let Some(browser) = Browser::open("en", WIDE).await.unwrap() else {
        return;
    };
    let site = Site::build().await.unwrap();
    site.project("Refonte du site").await.unwrap();
    browser.goto(&site.address("/")).await.unwrap();
    browser.sign_in("camille", &site.password).await.unwrap();
    browser.reads("All is well").await;
    browser.mark().await.unwrap();
    site.system.expect_errors("docmost is in trouble");
    site.system
        .break_docmost(&[json!({"path": "*", "kind": "reset"})])
        .await
        .unwrap();
    for number in 0..12 {
        let fields = json!({"Nom": format!("Chantier {number}"), "Statut": "En cours"});
        site.system.baserow.create("projet", fields).await.unwrap();
    }
    browser.reads("Docmost has been away for").await;
    browser.reads("nothing is lost").await;
    site.system.break_docmost(&[]).await.unwrap();
    browser.reads("All is well: 13 pages in step").await;
    assert!(browser.is_marked().await.unwrap(), "the page was loaded again");
    browser.has_shown_no_error().await.unwrap();
    browser.close().await.unwrap();
}

#[tokio::test]
async fn a_pasted_address_of_a_page_tells_its_story_and_a_button_syncs_the_row() {
    let Some(browser) = Browser::open("fr", WIDE).await.unwrap() else {
        return;
    };
    let site = Site::build().await.unwrap();
    let row = site.project("Refonte du site").await.unwrap();
    let page = site.system.docmost.pages_of(row).await.unwrap().remove(0);
    let slug = page["slugId"].as_str().unwrap();
    browser.goto(&site.address("/")).await.unwrap();
    browser.sign_in("camille", &site.password).await.unwrap();
    let pasted = format!("https://wiki.example.org/s/projets/p/projet-refonte-{slug}");
    browser.fill("#find", &pasted).await.unwrap();
    browser.enter("#find").await.unwrap();
    browser.reads(&format!("Ligne {row}")).await;
    browser.reads("La page a été rendue égale à la ligne").await;
    browser
        .fill(".act input[name=why]", "le client ne la trouve pas")
        .await
        .unwrap();
    browser.press("Synchroniser").await.unwrap();
    browser.reads("La synchronisation est demandée").await;
    site.system.drain().await;
    browser.reload().await.unwrap();
    browser.reads("Demandé par camille: le client ne la trouve pas").await;
    browser.has_shown_no_error().await.unwrap();
    browser.close().await.unwrap();
}

#[tokio::test]
async fn a_dead_letter_is_replayed_from_the_story_of_its_row() {
    let Some(browser) = Browser::open("en", WIDE).await.unwrap() else {
        return;
    };
    let site = Site::build().await.unwrap();
    let rows = site.dead_projects(&["Refonte du site"]).await.unwrap();
    let row = rows[0];
    browser.goto(&site.address("/")).await.unwrap();
    browser.sign_in("camille", &site.password).await.unwrap();
    browser.reads("1 dead letter waits for your decision").await;
    browser.goto(&site.address(&format!("/why?q={row}"))).await.unwrap();
    browser.reads("It is a dead letter, died").await;
    site.system.break_docmost(&[]).await.unwrap();
    browser.fill(".act input[name=why]", "Docmost is mended").await.unwrap();
    browser.press("Replay").await.unwrap();
    browser.reads("The dead letter is replayed").await;
    site.system.drain().await;
    browser.reload().await.unwrap();
    browser.reads("Requested by camille: Docmost is mended").await;
    browser.reads("Open in Docmost").await;
    assert_eq!(site.system.queue.stats().await.unwrap().dead, 0);
    browser.close().await.unwrap();
}

#[tokio::test]
async fn a_reader_sees_no_button_and_on_a_phone_every_page_fits() {
    let Some(browser) = Browser::open("fr", PHONE).await.unwrap() else {
        return;
    };
    let site = Site::build().await.unwrap();
    let row = site.project("Refonte du site").await.unwrap();
    let password = site.system.console_account("dominique", "reader").await.unwrap();
    browser.goto(&site.address("/")).await.unwrap();
    browser.fits().await.unwrap();
    browser.sign_in("dominique", &password).await.unwrap();
    browser.reads("Tout va bien").await;
    for page in PAGES
        .iter()
        .map(|page| (*page).to_owned())
        .chain([format!("/why?q={row}")])
    {
        browser.goto(&site.address(&page)).await.unwrap();
        browser.reads("dominique").await;
        browser.fits().await.unwrap();
        assert_eq!(browser.count("form.act, .acts button").await.unwrap(), 0, "{page}");
    }
    browser.close().await.unwrap();
}

#[tokio::test]
async fn what_has_the_focus_keeps_it_while_the_page_changes() {
    let Some(browser) = Browser::open("en", WIDE).await.unwrap() else {
        return;
    };
    let site = Site::build().await.unwrap();
    site.system.expect_dead(1);
    site.dead_projects(&["Refonte du site"]).await.unwrap();
    site.system.break_docmost(&[]).await.unwrap();
    browser.goto(&site.address("/")).await.unwrap();
    browser.sign_in("camille", &site.password).await.unwrap();
    browser.reads("1 dead letter waits for your decision").await;
    browser.focus("#now a[href='/letters']").await.unwrap();
    let focused = browser.focused().await.unwrap();
    assert!(focused.is_some());
    site.project("Gare du Nord").await.unwrap();
    browser.reads("Pages in step 1").await;
    assert_eq!(browser.focused().await.unwrap(), focused);
    browser.close().await.unwrap();
}

#[tokio::test]
async fn everything_is_reached_with_the_keyboard_alone_and_the_focus_is_seen() {
    let Some(browser) = Browser::open("en", WIDE).await.unwrap() else {
        return;
    };
    let site = Site::build().await.unwrap();
    let row = site.project("Refonte du site").await.unwrap();
    browser.goto(&site.address("/why")).await.unwrap();
    // The name has the focus already.
    browser.type_keys("camille\t").await.unwrap();
    browser.type_keys(&format!("{}\n", site.password)).await.unwrap();
    browser.reads("What happened, and why?").await;
    browser.type_keys(&format!("{row}\n")).await.unwrap();
    browser.reads("The page was made equal to the row").await;
    let (wanted, mut reached) = (["Overview", "Why?", "Sign out", "Ask", "Sync now"], Vec::new());
    // Behind the last one the browser begins anew: wherever it began, all are reached.
    for _ in 0..80 {
        browser.type_keys("\t").await.unwrap();
        reached.extend(browser.focused().await.unwrap());
        if wanted.iter().all(|name| reached.iter().any(|reached| reached == name)) {
            break;
        }
    }
    for name in wanted {
        assert!(
            reached.iter().any(|reached| reached == name),
            "{name} is not among {reached:?}"
        );
    }
    browser.close().await.unwrap();
}
