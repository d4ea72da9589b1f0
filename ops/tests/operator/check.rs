//! `check`: what is wrong with the rules is told before a process reads them.

use passerelle_sandbox::docmost;
use serde_json::json;

use crate::town::{TOKEN, Town};

const SOURCES: &str = "owned_fields = [\"docmost_page_id\", \"docmost_url\"]\n[sources]\n\"*\" = { proof = \"hmac\", secrets = \"BASEROW_WEBHOOK_SECRET\" }\n";

/// A rule on one line each, so that lines can be counted.
fn rule(name: &str, table: &str, lines: &str) -> String {
    format!(
        "[[rules]]\nname = \"{name}\"\ntable = {table}\npage = {{ space = \"Agence\", title = \"x\", body = \"page.md\" }}\n{lines}\n"
    )
}

#[tokio::test]
async fn the_shipped_rules_are_right_and_fit_the_tables_and_spaces() {
    let town = Town::start().unwrap();
    let checked = town.passerelle(&["check", "--live"]).await;
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
    assert!(
        checked.out.contains(" rules and 2 wiki rules, no problems"),
        "{}",
        checked.out
    );
}

#[tokio::test]
async fn every_problem_of_the_file_is_told_at_once_with_its_line() {
    let town = Town::start().unwrap();
    let rules = [
        rule("a", "\"projet\"", "links = { \"1x\" = \"Client\" }"),
        rule("a", "\"formation\"", "on = []"),
        rule("b", "\"bloc\"", "").replace("title = \"x\"", "title = \"{{ nobody.Nom }}\""),
    ];
    town.rules(&format!("{SOURCES}{}", rules.concat())).unwrap();
    let checked = town
        .passerelle_with(&["check"], &[("BASEROW_URL", ""), ("REDIS_URL", "")])
        .await;
    assert_eq!(checked.code, 1);
    insta::assert_snapshot!(checked.out, @r#"
    bridge.toml: 3 rules, 4 problems

    bridge.toml:10:8 (rule a)
      another rule has the same name
      → give each rule its own name

    bridge.toml:8:18 (rule a)
      "1x" cannot be the name of a link in templates
      → use letters, digits and _, and not the word `row`

    bridge.toml:13:6 (rule a)
      `on` is empty: it would never do anything
      → leave `on` out for all kinds of event

    bridge.toml:17:40 (rule b)
      `page.title` uses "nobody", which does not exist there
      → correct the name, or add it: links = { nobody = "<link field>" }
    "#);
}

#[tokio::test]
async fn a_rule_that_can_never_do_its_work_is_told() {
    let town = Town::start().unwrap();
    let rules = [
        rule("none", "\"projet\"", "on = [\"other\"]"),
        rule("hidden", "\"formation\"", "").replace("title = \"x\"", "title = \"{{ row.docmost_url }}\""),
        rule("echo", "\"bloc\"", "").replace("body = ", "write_back = { page_id = \"page\" }, body = "),
    ];
    town.rules(&format!("{SOURCES}{}", rules.concat())).unwrap();
    let checked = town.passerelle(&["check"]).await;
    assert_eq!(checked.code, 1);
    insta::assert_snapshot!(checked.out, @r#"
    bridge.toml: 3 rules, 3 problems

    bridge.toml:8:6 (rule none)
      it never runs: events of the kind `other` concern no row
      → react to created, updated, deleted or forced, or leave `on` out

    bridge.toml:12:44 (rule hidden) page.title
      page.title follows the field "docmost_url", but owned_fields or ignored_fields hide its changes
      → remove the field from these lists, or do not use it here

    bridge.toml:17:56 (rule echo) page.write_back
      page.write_back writes the field "page", which is not among owned_fields: the bridge's own writes would trigger it again
      → add the field to owned_fields, at the top of the file
    "#);
}

#[tokio::test]
async fn a_bad_filter_is_told_at_once_and_a_value_that_does_not_fit_one_with_its_row() {
    let town = Town::start().unwrap();
    let rules = rule("p", "\"projet\"", "");
    town.rules(&format!("{SOURCES}{rules}")).unwrap();
    town.template("page.md", "{% if row.Statut %}{{ row.Nom | datte }}{% endif %}")
        .unwrap();
    let checked = town.passerelle(&["check"]).await;
    assert_eq!(checked.code, 1);
    let told =
        "page.md:1:33 (rule p)\n  the file uses the filter \"datte\", which does not exist\n  → did you mean \"date\"?";
    assert!(checked.out.contains(told), "{}", checked.out);

    town.template("page.md", "{{ row.Nom | date }}").unwrap();
    let projet = json!({"Nom": "Refonte"});
    let path = "rows/table/2/?user_field_names=true";
    town.baserow_as_user(reqwest::Method::POST, path, Some(projet))
        .await
        .unwrap();
    assert_eq!(town.passerelle(&["check"]).await.code, 0);
    let checked = town.passerelle(&["check", "--live"]).await;
    assert_eq!(checked.code, 1, "{}", checked.out);
    assert!(
        checked
            .out
            .contains("the table \"projet\", row 1: template \"page.md\", line 1"),
        "{}",
        checked.out
    );
    assert!(
        checked.out.contains("\"Refonte\" is no date or moment"),
        "{}",
        checked.out
    );
}

#[tokio::test]
async fn what_does_not_fit_the_real_systems_is_told_with_what_there_is() {
    let town = Town::start().unwrap();
    let rules = [
        rule("nowhere", "\"projets\"", ""),
        rule("fields", "\"projet\"", "links = { client = \"Statut\" }").replace(
            "title = \"x\"",
            "title = \"{{ row.Nmo }}\", write_back = { page_id = \"Client\", url = \"docmost_url\" }",
        ),
        rule("twice", "2", ""),
        rule("space", "\"formation\"", "").replace("Agence", "Direction"),
    ];
    let sources = SOURCES.replace("\"docmost_url\"", "\"docmost_url\", \"Client\"");
    town.rules(&format!("{sources}{}", rules.concat())).unwrap();
    let checked = town.passerelle(&["check", "--live"]).await;
    assert_eq!(checked.code, 1);
    insta::assert_snapshot!(checked.out, @r#"
    bridge.toml: 4 rules, 6 problems

    bridge.toml:6:9 (rule nowhere)
      BASEROW_TOKEN cannot see a table "projets"; it sees: client (1), projet (2), formation (3), bloc (4), personne (5), attribution (6), intervention (7), comptes_rendus (8), essai (9)
      → did you mean "projet"?

    bridge.toml:12:79 (rule fields) page.write_back
      the field "Client" of the table "projet" is of the type link_row: a page's id cannot be kept there
      → use a text field

    bridge.toml:12:44 (rule fields) page.title
      the table "projet" has no field "Nmo"
      → did you mean "Nom"?

    bridge.toml:13:21 (rule fields) links.client
      the field "Statut" of the table "projet" is of the type single_select, not a link to another table
      → name a link field

    bridge.toml:16:9 (rule twice)
      it never runs: "projet" is the table of the rule "fields", which makes the page of its rows
      → make one rule of the two

    bridge.toml:22:18 (rule space)
      the account bridge@passerelle.test cannot see a space "Direction" in Docmost; it sees: Agence, General
      → correct the name, or add the account to the space as a writer (Docmost: Space settings → Members)
    "#);
}

#[tokio::test]
async fn an_icon_of_an_option_that_the_table_has_no_more_is_told_with_those_it_has() {
    let town = Town::start().unwrap();
    let icons = "icon = { field = \"Statut\", values = { \"En cours\" = \"🚧\", Clos = \"✅\", \"\" = \"❔\" } }";
    let rules = rule("p", "\"projet\"", "").replace("title = \"x\"", &format!("title = \"x\", {icons}"));
    town.rules(&format!("{SOURCES}{rules}")).unwrap();
    let checked = town.passerelle(&["check", "--live"]).await;
    assert_eq!(checked.code, 1);
    insta::assert_snapshot!(checked.out, @r#"
    bridge.toml: 1 rule, 1 problem

    bridge.toml:7:97 (rule p) page.icon
      the field "Statut" of the table "projet" has no option "Clos"; it has: "Brouillon", "En cours", "Terminé"
      → write the option as it is called now, or take it out of `values`: its rows get the icon of `default`
    "#);
}

#[tokio::test]
async fn systems_that_cannot_be_asked_are_problems_and_hide_no_other() {
    let town = Town::start().unwrap();
    let checked = town
        .passerelle_with(
            &["--json", "check", "--live"],
            &[("BASEROW_TOKEN", "wrong"), ("DOCMOST_PASSWORD", "wrong")],
        )
        .await;
    assert_eq!(checked.code, 1);
    let report: serde_json::Value = serde_json::from_str(&checked.out).unwrap();
    let places: Vec<&str> = report["problems"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|problem| problem["place"].as_str())
        .collect();
    assert_eq!(places, ["BASEROW_URL", "DOCMOST_URL"], "{}", checked.out);
    assert!(!checked.out.contains(TOKEN));
}

#[tokio::test]
async fn a_file_that_is_not_there_or_no_toml_is_told_with_its_place() {
    let town = Town::start().unwrap();
    let missing = town.passerelle(&["check", "--file", "nowhere.toml"]).await;
    assert_eq!(missing.code, 1);
    assert!(
        missing.out.contains("nowhere.toml\n  cannot be read"),
        "{}",
        missing.out
    );
    town.rules("[sources]\n[[rules]]\nnmae = \"x\"\n").unwrap();
    let broken = town.passerelle(&["check"]).await;
    assert!(broken.out.contains("bridge.toml:3:1\n"), "{}", broken.out);
}

#[tokio::test]
async fn wiki_rules_are_counted_and_their_table_fields_and_space_are_looked_at() {
    let wiki = |name: &str, table: &str, lines: &str| {
        format!("[[wiki]]\nname = \"{name}\"\nlabel = \"{name}\"\n{lines}[wiki.row]\ntable = {table}\n")
    };
    let town = Town::start().unwrap();
    let rules = [
        rule("projet", "\"projet\"", ""),
        wiki("lost", "\"rapports\"", "") + "page_id = \"page\"\nfields = {}\n",
        wiki("notes", "\"comptes_rendus\"", "space = \"Direction\"\n")
            + "page_id = \"page\"\nfields = { Titre = \"{{ page.title }}\", Sujet = \"x\" }\n",
        wiki("types", "6", "") + "page_id = \"Libelle\"\nfields = { Personne = \"x\" }\n",
        wiki("circle", "2", "") + "page_id = \"docmost_page_id\"\nfields = { Nom = \"x\" }\n",
    ];
    town.rules(&format!("{SOURCES}{}", rules.concat())).unwrap();
    let checked = town.passerelle(&["check", "--live"]).await;
    assert_eq!(checked.code, 1);
    insta::assert_snapshot!(checked.out, @r#"
    bridge.toml: 1 rule and 4 wiki rules, 6 problems

    bridge.toml:13:9 (wiki rule lost)
      BASEROW_TOKEN cannot see a table "rapports"; it sees: client (1), projet (2), formation (3), bloc (4), personne (5), attribution (6), intervention (7), comptes_rendus (8), essai (9)
      → correct the name, or give the token rights on the table (Baserow: Settings → Database tokens)

    bridge.toml:23:48 (wiki rule notes)
      the table "comptes_rendus" has no field "Sujet"
      → create it, or let `passerelle provision` make a text field; names must match exactly, in case and accents

    bridge.toml:22:11 (wiki rule notes)
      the table "comptes_rendus" has no field "page"
      → create it as a text field, or let `passerelle provision` do it; names must match exactly, in case and accents

    bridge.toml:30:23 (wiki rule types)
      the field "Personne" of the table "attribution" is of the type link_row: a text cannot be kept there
      → use a field of one of the types text, long_text, url, date, single_select

    bridge.toml:35:9 (wiki rule circle)
      rows of "projet" get pages by another rule: page, row, page … would never end
      → give the rows another table

    bridge.toml:19:9 (wiki rule notes)
      the account bridge@passerelle.test cannot see a space "Direction" in Docmost; it sees: Agence, General
      → correct the name, or add the account to the space as a member (Docmost: Space settings → Members)
    "#);
}

/// A new space in which the bridge may write, made by the owner of the wiki.
async fn space(town: &Town, name: &str, slug: &str) -> anyhow::Result<()> {
    let new = json!({"name": name, "slug": slug});
    let made = town.docmost_as(docmost::OWNER_EMAIL, "spaces/create", &new).await?;
    let me = town.docmost_as(docmost::BRIDGE_EMAIL, "users/me", &json!({})).await?;
    let member = json!({"spaceId": made["id"], "role": "writer", "userIds": [me["user"]["id"]], "groupIds": []});
    let added = town
        .docmost_as(docmost::OWNER_EMAIL, "spaces/members/add", &member)
        .await;
    added.map(|_| ())
}

#[tokio::test]
async fn a_name_of_two_spaces_is_told_with_both_slugs_and_a_slug_is_enough() {
    let town = Town::start().unwrap();
    for year in ["2024", "2026"] {
        space(&town, "Suivi clients", &format!("suivi-{year}")).await.unwrap();
    }
    let checked = async |space: &str| {
        let page = format!("page = {{ space = {space:?}, title = \"x\", body = \"page.md\" }}\n");
        let rule = format!("{SOURCES}[[rules]]\nname = \"projet\"\ntable = \"projet\"\n{page}");
        town.rules(&rule).unwrap();
        town.passerelle(&["check", "--live"]).await
    };
    let told = checked("Suivi clients").await;
    assert_eq!(told.code, 1, "{}", told.out);
    for part in [
        "2 spaces are meant by",
        "slug suivi-2024",
        "slug suivi-2026",
        "write the slug",
    ] {
        assert!(told.out.contains(part), "{}", told.out);
    }
    let told = checked("suivi-2026").await;
    assert_eq!(told.code, 0, "{}", told.out);
}
