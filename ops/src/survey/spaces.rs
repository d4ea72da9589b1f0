//! The spaces that rules name, compared with those that the bridge's account may write in.

use passerelle_shared::config::Problem;
use passerelle_worker::clients::docmost::Account;
use passerelle_worker::rules::{RuleSources, Rules};

use super::problem;

/// What is wrong with the spaces of the rules.
pub fn space_problems(account: &Account, sources: &RuleSources, rules: &Rules) -> Vec<Problem> {
    let mut problems = Vec::new();
    for rule in rules.pages() {
        let (place, name) = (sources.place_of(&rule.name), &rule.page.space);
        let email = &account.email;
        match account.space(name) {
            None => {
                let known: Vec<&str> = account.spaces.iter().map(|member| member.space.name.as_str()).collect();
                let known = if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                };
                problems.push(problem(
                    &place,
                    format!("the account {email} sees no space {name:?} in Docmost; it sees: {known}"),
                    "mend the name, or add the account to the space as a writer (Docmost: Space settings → Members)",
                ));
            }
            Some(member) if !member.may_write() => problems.push(problem(
                &place,
                format!("the account {email} may only read in the space {name:?}"),
                "make it a writer there (Docmost: Space settings → Members)",
            )),
            Some(_) => {}
        }
    }
    problems
}
