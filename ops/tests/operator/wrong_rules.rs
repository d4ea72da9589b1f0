//! `check` of files in which everything is wrong that can be.

use crate::town::Town;

/// One problem of each kind that the files alone can show.
const WRONG: &str = r#"owned_fields = ["docmost_page_id"]
owned_field = ["docmost_url"]

[sources]
"*" = { proof = "hmca", secrets = "BASEROW_WEBHOOK_SECRET" }

[[rules]]
namee = "keys"
table = "projet"
on = ["creatd"]
[rules.page]
space = 3
title = "x"

[[rules]]
name = "texts"
table = "projet"
links = { client = "Client", "1x" = "Autre" }
[rules.page]
space = "Agence"
title = "Projet {{ clinet.Nom }} {{ row.Nom | uper }}"
parent = """
Année
  {{ row.Nom | nmber(2) }}"""
body = "pages.md"

[[rules]]
name = "texts"
table = "formation"
on = ["created"]
[rules.page]
space = "Agence"
title = ""
body = "broken.md"
[rules.collection]
of = " "
slot = "Bloc 1"
title = "{{ parnt.Titre }}"
body = "words.md"

[[rules]]
name = "told"
table = "attribution"
on = []
[rules.notice]
template = "trainer-asigned"
to = { link = "", email = "Email" }
values = { trainer = "{{ persn.Nom }}" }

[[rules]]
name = "no action"
table = "intervention"

[[wiki]]
name = "label"
label = "Compte rendu"
[wiki.row]
table = "comptes_rendus"
page_id = "page"
[wiki.row.fields]
Titre = "{{ page.titlee }}"
Sujet = "{{ pge.title | lowr }}"
"#;

#[tokio::test]
async fn a_problem_of_each_kind_is_told_at_its_line_and_character_with_what_may_be_meant() {
    let town = Town::start().unwrap();
    town.rules(WRONG).unwrap();
    town.template("broken.md", "# {{ row.Titre }}\n{% for x in row.Titre %}\n")
        .unwrap();
    town.template(
        "words.md",
        "é {{ row.Titre }}\n{% if rwo.Titre is definedd %}x{% endif %}",
    )
    .unwrap();
    let checked = town.passerelle(&["check"]).await;
    assert_eq!(checked.code, 1);
    insta::assert_snapshot!(checked.out);
}
