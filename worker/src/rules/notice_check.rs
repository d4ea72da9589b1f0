//! Checks the rules that make notices, as [`compile`](super::compile) checks those that make pages.

use passerelle_model::config::{CapacityAction, LinkedPeople, NoticeAction, Rule};
use passerelle_model::event::EventKind;
use toml::Spanned;

use super::compile::{Check, RuleKey};
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
                &["notice", "template"],
                what,
                "use small letters, digits and -, e.g. template = \"trainer-assigned\"",
            );
        }
        if let Some(LinkedPeople { link, email, .. }) = &notice.to {
            self.field(rule, &["notice", "to", "link"], link);
            self.field(rule, &["notice", "to", "email"], email);
        }
        let own_names: &[&str] = if notice.to.is_some() {
            &["row", "person"]
        } else {
            &["row"]
        };
        for (name, text) in &notice.values {
            let keys = &["notice", "values", name.as_str()];
            let template = template::value_of(&rule.get_ref().name, name);
            self.value(&RuleKey { rule, keys, own_names }, &template, text);
        }
    }

    pub(super) fn capacity(&mut self, rule: &Spanned<Rule>, capacity: &CapacityAction) {
        self.told_events(rule);
        self.field(rule, &["capacity", "people"], &capacity.people);
        self.field(rule, &["capacity", "name"], &capacity.name);
        self.field(rule, &["capacity", "hours_left"], &capacity.hours_left);
        if !capacity.below.is_finite() {
            let what = "`below` is no number of hours".to_owned();
            self.problem(rule, &["capacity", "below"], what, "e.g. below = 0");
        }
        if let Some(cause) = &capacity.cause {
            let (keys, own_names) = (&["capacity", CAUSE], &["row"]);
            let template = template::value_of(&rule.get_ref().name, CAUSE);
            self.value(&RuleKey { rule, keys, own_names }, &template, cause);
        }
    }

    /// A deleted row cannot be read any more, so there is nothing to say of it. As `on` means all
    /// kinds if it is left out, it has to be given.
    fn told_events(&mut self, rule: &Spanned<Rule>) {
        if rule.get_ref().on.contains(&EventKind::Deleted) {
            let what = "a notice cannot say anything of a deleted row: only its number arrives".to_owned();
            self.problem(rule, &["on"], what, "name the kinds of event, e.g. on = [\"created\"]");
        }
    }

    fn field(&mut self, rule: &Spanned<Rule>, keys: &[&str], field: &str) {
        if field.trim().is_empty() {
            let what = format!("`{}` is empty", keys.join("."));
            self.problem(rule, keys, what, "give the name of the field");
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
        let templates = BTreeMap::from([("a.md".to_owned(), Ok(String::new()))]);
        Rules::compile(&RuleSources::new(BridgeFile::parse(&text, "bridge.toml")?, templates))
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
            (none, "bridge.toml:3:1 (rule x): the rule has no action"),
            (
                two.as_str(),
                "bridge.toml:3:1 (rule mail): the rule has more than one action",
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
          bridge.toml:3:1 (rule mail): a notice cannot say anything of a deleted row: only its number arrives
              → name the kinds of event, e.g. on = ["created"]
          bridge.toml:7:12 (rule mail): "../secret" cannot be the name of a notice's template
              → use small letters, digits and -, e.g. template = "trainer-assigned"
          bridge.toml:8:35 (rule mail): `notice.to.email` is empty
              → give the name of the field
          bridge.toml:9:55 (rule mail): `notice.values.course` uses "rwo", which does not exist there
              → did you mean "row"?
          bridge.toml:17:14 (rule hours): `capacity.hours_left` is empty
              → give the name of the field
          bridge.toml:18:9 (rule hours): `below` is no number of hours
              → e.g. below = 0
          bridge.toml:19:13 (rule hours): `capacity.cause` uses "person", which does not exist there
              → correct the name, or add it: links = { person = "<link field>" }
        "#);
    }
}
