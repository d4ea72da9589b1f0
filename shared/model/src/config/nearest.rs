//! What may be meant by a name that does not exist.

use strsim::damerau_levenshtein;

/// So many slips of the pen may be between a name and the one that was meant; fewer in a short one.
const SLIPS: usize = 2;

/// The known name that is nearest to this one, if it is near enough to be meant. Case is no slip.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = name.to_lowercase();
    let most = SLIPS.min(written.chars().count().div_ceil(3));
    let distances = known
        .into_iter()
        .map(|known| (damerau_levenshtein(&written, &known.to_lowercase()), known));
    let nearest = distances.min().filter(|(distance, _)| *distance <= most);
    nearest.map(|(_, known)| known)
}

/// The hint for a name that does not exist: the one that may be meant, or else what there is.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(name, known.iter().copied()) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None if known.is_empty() => "there is none".to_owned(),
        None => format!("there are: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("clinet", Some("client"))]
    #[case("Client", Some("client"))]
    #[case("rwo", Some("row"))]
    #[case("prenom", Some("prénom"))]
    #[case("projet", None)]
    #[case("x", None)]
    fn only_a_slip_is_taken_for_another_name(#[case] written: &str, #[case] meant: Option<&str>) {
        assert_eq!(nearest(written, ["client", "row", "prénom"]), meant);
    }

    #[test]
    fn the_hint_names_what_is_meant_or_all_that_there_is() {
        assert_eq!(did_you_mean("rwo", ["row", "person"]), "did you mean \"row\"?");
        assert_eq!(did_you_mean("client", ["row", "person"]), "there are: row, person");
    }
}
