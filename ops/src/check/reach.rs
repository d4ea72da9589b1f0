//! Rules that are written correctly and yet can never run: triggers that no event has, changes that
//! the ingress filters out.

use passerelle_model::config::{Problem, Rule};
use passerelle_model::event::EventKind;
use passerelle_worker::rules::{FieldNeed, Owner, Purpose, RuleSources, Rules, TableNeeds};

pub(crate) fn problems(sources: &RuleSources, rules: &Rules) -> Vec<Problem> {
    let mut problems = Vec::new();
    for rule in rules.iter() {
        problems.extend(triggers(sources, rule));
        problems.extend(fields(sources, rules, rule));
    }
    problems
}

fn triggers(sources: &RuleSources, rule: &Rule) -> Option<Problem> {
    let is_deaf = rule.on.iter().all(|kind| *kind == EventKind::Other);
    is_deaf.then(|| Problem {
        place: sources.place_of(&rule.name, &["on"]),
        what: "it never runs: events of the kind `other` concern no row".to_owned(),
        hint: "react to created, updated, deleted or forced, or leave `on` out".to_owned(),
    })
}

/// Fields that owned_fields must name, and fields that it must not.
fn fields(sources: &RuleSources, rules: &Rules, rule: &Rule) -> Vec<Problem> {
    let (owned, ignored) = (&sources.file.owned_fields, &sources.file.ignored_fields);
    let needs = TableNeeds {
        rule: &rule.name,
        is_wiki: false,
        table: &rule.table,
        fields: rules.needs(rule),
    };
    let finding = |need: &FieldNeed| {
        let field = &need.field;
        let (what, hint) = match need.purpose {
            Purpose::PageId | Purpose::PageUrl if !owned.contains(field) => {
                let what = format!(
                    "{} writes the field {field:?}, which is not among owned_fields: the bridge's own writes would \
                     trigger it again",
                    need.place
                );
                (what, "add the field to owned_fields, at the top of the file")
            }
            Purpose::Link | Purpose::Read { follows: true }
                if need.of == Owner::Row && (owned.contains(field) || ignored.contains(field)) =>
            {
                let what = format!(
                    "{} follows the field {field:?}, but owned_fields or ignored_fields hide its changes",
                    need.place
                );
                (what, "remove the field from these lists, or do not use it here")
            }
            _ => return None,
        };
        Some(Problem {
            place: sources.place_of_need(&needs, need),
            what,
            hint: hint.to_owned(),
        })
    };
    needs.fields.iter().filter_map(finding).collect()
}
