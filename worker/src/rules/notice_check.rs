//! Checks the rules that make notices, as [`compile`](super::compile) checks those that make pages.

use passerelle_model::config::{CapacityAction, LinkedPeople, NoticeAction, Rule};
use passerelle_model::event::EventKind;
use toml::Spanned;

use super::compile::{Check, RuleTexts};
use super::notice::CAUSE;
use super::template;
use crate::content::notice::TemplateName;

impl Check<'_> {
    pub(super) fn notice(&mut self, rule: &Spanned<Rule>, notice: &NoticeAction) {
        self.told_events(rule);
        if TemplateName::parse(&notice.template).is_err() {
            let what = format!("{:?} cannot be the name of a notice's template", notice.template);
            self.problem(
                rule,
                what,
                "use small letters, digits and -, e.g. template = \"trainer-assigned\"",
            );
        }
        if let Some(LinkedPeople { link, email, .. }) = &notice.to {
            self.field(rule, "to.link", link);
            self.field(rule, "to.email", email);
        }
        let own_names: &[&str] = if notice.to.is_some() {
            &["row", "person"]
        } else {
            &["row"]
        };
        for (name, text) in &notice.values {
            self.value(&RuleTexts { rule, own_names }, name, text);
        }
    }

    pub(super) fn capacity(&mut self, rule: &Spanned<Rule>, capacity: &CapacityAction) {
        self.told_events(rule);
        self.field(rule, "capacity.people", &capacity.people);
        self.field(rule, "capacity.name", &capacity.name);
        self.field(rule, "capacity.hours_left", &capacity.hours_left);
        if !capacity.below.is_finite() {
            let what = "`below` is no number of hours".to_owned();
            self.problem(rule, what, "e.g. below = 0");
        }
        if let Some(cause) = &capacity.cause {
            let own_names = &["row"];
            self.value(&RuleTexts { rule, own_names }, CAUSE, cause);
        }
    }

    /// A deleted row cannot be read any more, so there is nothing to say of it. As `on` means all
    /// kinds if it is left out, it has to be given.
    fn told_events(&mut self, rule: &Spanned<Rule>) {
        if rule.get_ref().on.contains(&EventKind::Deleted) {
            let what = "a notice cannot say anything of a deleted row: only its number arrives".to_owned();
            self.problem(rule, what, "name the kinds of event, e.g. on = [\"created\"]");
        }
    }

    fn field(&mut self, rule: &Spanned<Rule>, place: &str, field: &str) {
        if field.trim().is_empty() {
            self.problem(rule, format!("{place} is empty"), "give the name of the field");
        }
    }

    fn value(&mut self, texts: &RuleTexts<'_>, name: &str, text: &str) {
        let template = template::value_of(&texts.rule.get_ref().name, name);
        match self.environment.add_template_owned(template.clone(), text.to_owned()) {
            Ok(()) => self.variables(texts, &template),
            Err(error) => {
                let what = format!("{name:?} is no template: {error}");
                self.problem(texts.rule, what, "see docs/RULES.md, Templates");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use passerelle_model::config::{BridgeFile, Problems};

    use crate::rules::{RuleSources, Rules};

    const START: &str = "[sources]\n\"*\" = { proof = \"hmac\", secrets = \"S\" }\n";

    fn compile(rules: &str) -> Result<Rules, Problems> {
        let text = format!("{START}{rules}");
        Rules::compile(&RuleSources {
            place: "bridge.toml".to_owned(),
            file: BridgeFile::parse(&text, "bridge.toml")?,
            text,
            templates: BTreeMap::from([("a.md".to_owned(), Ok(String::new()))]),
        })
    }

    const PAGE: &str = "[[rules]]\nname = \"page\"\ntable = \"attribution\"\n[rules.page]\nspace = \"a\"\ntitle = \"t\"\nbody = \"a.md\"\n";
    const MAIL: &str = "[[rules]]\nname = \"mail\"\ntable = \"attribution\"\non = [\"created\"]\n\
        [rules.notice]\ntemplate = \"trainer-assigned\"\nto = { link = \"Personne\", email = \"Email\" }\n\
        values = { trainer = \"{{ person.Nom }}\", course = \"{{ row.Libelle }}\" }\n";
    const HOURS: &str = "[[rules]]\nname = \"hours\"\ntable = \"attribution\"\non = [\"created\", \"updated\"]\n\
        [rules.capacity]\npeople = \"Personne\"\nname = \"Nom\"\nhours_left = \"reste\"\ncause = \"{{ row.Libelle }}\"\n";

    #[test]
    fn a_table_may_have_one_page_and_several_notices() {
        let rules = compile(&format!("{PAGE}{MAIL}{HOURS}")).unwrap();
        assert_eq!((rules.pages().count(), rules.notices().count()), (1, 2));
        let second = PAGE.replace("\"page\"", "\"other\"");
        let problems = compile(&format!("{PAGE}{second}")).unwrap_err();
        assert!(problems.to_string().contains("already makes the page"), "{problems}");
    }

    #[test]
    fn a_rule_has_exactly_one_action() {
        let none = "[[rules]]\nname = \"x\"\ntable = \"t\"\n";
        let two = format!("{MAIL}[rules.capacity]\npeople = \"P\"\nname = \"N\"\nhours_left = \"h\"\n");
        let lonely = format!("{MAIL}[rules.collection]\nof = \"b\"\nslot = \"b\"\ntitle = \"t\"\nbody = \"a.md\"\n");
        for (rules, complaint) in [
            (none, "bridge.toml:3 (rule x): the rule has no action"),
            (
                two.as_str(),
                "bridge.toml:3 (rule mail): the rule has more than one action",
            ),
            (lonely.as_str(), "a collection needs a page"),
        ] {
            let problems = compile(rules).unwrap_err().to_string();
            assert!(problems.contains(complaint), "{problems}");
        }
    }

    #[test]
    fn everything_that_is_wrong_with_a_notice_is_reported_at_once_with_its_line() {
        let mail = MAIL
            .replace("on = [\"created\"]\n", "")
            .replace("trainer-assigned", "../secret")
            .replace("\"Email\"", "\"\"")
            .replace("row.Libelle", "rwo.Libelle");
        let hours = HOURS
            .replace("{{ row.Libelle }}", "{{ person.Nom }}")
            .replace("\"reste\"", "\" \"\nbelow = nan");
        insta::assert_snapshot!(compile(&format!("{mail}{hours}")).unwrap_err(), @r#"
        the configuration has 7 problems:
          bridge.toml:3 (rule mail): a notice cannot say anything of a deleted row: only its number arrives
              → name the kinds of event, e.g. on = ["created"]
          bridge.toml:3 (rule mail): "../secret" cannot be the name of a notice's template
              → use small letters, digits and -, e.g. template = "trainer-assigned"
          bridge.toml:3 (rule mail): to.email is empty
              → give the name of the field
          bridge.toml:3 (rule mail): "value course of mail" uses "rwo", which is neither `row`, `person` nor one of the rule's links
              → correct the name, or add it: links = { rwo = "<link field>" }
          bridge.toml:10 (rule hours): capacity.hours_left is empty
              → give the name of the field
          bridge.toml:10 (rule hours): `below` is no number of hours
              → e.g. below = 0
          bridge.toml:10 (rule hours): "value cause of hours" uses "person", which is neither `row` nor one of the rule's links
              → correct the name, or add it: links = { person = "<link field>" }
        "#);
    }
}
