//! Rules that are written correctly and yet can never run: triggers that no event has, changes that
//! the ingress filters out.

use passerelle_model::config::{Problem, Rule};
use passerelle_model::event::EventKind;
use passerelle_worker::rules::{Owner, Purpose, RuleSources, Rules};

pub(crate) fn problems(sources: &RuleSources, rules: &Rules) -> Vec<Problem> {
    let mut problems = Vec::new();
    for rule in rules.iter() {
        let place = sources.place_of(&rule.name);
        let mut add = |(what, hint): (String, &str)| {
            problems.push(Problem {
                place: place.clone(),
                what,
                hint: hint.to_owned(),
            });
        };
        triggers(rule).map(&mut add);
        for finding in fields(sources, rules, rule) {
            add(finding);
        }
    }
    problems
}

fn triggers(rule: &Rule) -> Option<(String, &'static str)> {
    if rule.on.iter().all(|kind| *kind == EventKind::Other) {
        let what = "it never runs: events of the kind `other` concern no row".to_owned();
        return Some((what, "react to created, updated, deleted or forced, or leave `on` out"));
    }
    None
}

/// Fields that owned_fields must name, and fields that it must not.
fn fields<'a>(
    sources: &'a RuleSources,
    rules: &'a Rules,
    rule: &'a Rule,
) -> impl Iterator<Item = (String, &'static str)> + 'a {
    let (owned, ignored) = (&sources.file.owned_fields, &sources.file.ignored_fields);
    rules.needs(rule).into_iter().filter_map(move |need| {
        let field = &need.field;
        match need.purpose {
            Purpose::PageId | Purpose::PageUrl if !owned.contains(field) => {
                let what = format!(
                    "{} writes the field {field:?}, which is not among owned_fields: the bridge's own writes would \
                     trigger it again",
                    need.place
                );
                Some((what, "add the field to owned_fields, at the top of the file"))
            }
            Purpose::Link | Purpose::Read { follows: true }
                if need.of == Owner::Row && (owned.contains(field) || ignored.contains(field)) =>
            {
                let what = format!(
                    "{} follows the field {field:?}, but owned_fields or ignored_fields hide its changes",
                    need.place
                );
                Some((what, "remove the field from these lists, or do not use it here"))
            }
            _ => None,
        }
    })
}
