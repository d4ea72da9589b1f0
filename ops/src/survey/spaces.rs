//! The spaces that rules name, compared with those that the bridge's account may write in.

use passerelle_model::config::Problem;
use passerelle_worker::clients::docmost::Account;
use passerelle_worker::rules::{RuleSources, Rules};

use super::{listed, meant_or, problem};

/// What is wrong with the spaces of the rules.
pub fn space_problems(account: &Account, sources: &RuleSources, rules: &Rules) -> Vec<Problem> {
    let mut problems = Vec::new();
    for rule in rules.pages() {
        let (place, name) = (sources.place_of(&rule.name, &["page", "space"]), &rule.page.space);
        let email = &account.email;
        match account.spaces_called(name).as_slice() {
            [] => problems.push(unseen(account, &place, name, "as a writer")),
            [_, _, ..] => problems.push(several(account, &place, name)),
            [member] if !member.may_write() => problems.push(problem(
                &place,
                format!("the account {email} may only read in the space {name:?}"),
                "make it a writer there (Docmost: Space settings → Members)",
            )),
            [_] => {}
        }
    }
    problems.extend(rules.wiki().filter_map(|rule| {
        let name = rule.space.as_deref()?;
        let place = sources.place_of_wiki(&rule.name, &["space"]);
        match account.spaces_called(name).len() {
            0 => Some(unseen(account, &place, name, "as a member")),
            1 => None,
            _ => Some(several(account, &place, name)),
        }
    }));
    problems
}

/// Names are not unique in Docmost, slugs are; and a slug may be another space's name.
fn several(account: &Account, place: &str, name: &str) -> Problem {
    let spaces = account.spaces_called(name).into_iter().map(|member| &member.space);
    let described = spaces.map(|space| format!("{:?} (slug {}, id {})", space.name, space.slug, space.id));
    let described: Vec<String> = described.collect();
    let what = format!(
        "{} spaces are meant by {name:?}: {}",
        described.len(),
        described.join(", ")
    );
    problem(place, what, "write the slug of one in the place of the name, or its id")
}

fn unseen(account: &Account, place: &str, name: &str, role: &str) -> Problem {
    let names = || account.spaces.iter().map(|member| member.space.name.as_str());
    let known = listed(names().map(str::to_owned));
    problem(
        place,
        format!(
            "the account {} cannot see a space {name:?} in Docmost; it sees: {known}",
            account.email
        ),
        meant_or(
            name,
            names(),
            format!("correct the name, or add the account to the space {role} (Docmost: Space settings → Members)"),
        ),
    )
}
