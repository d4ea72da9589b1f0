//! URLs that may hold a password, as they may be shown.

/// Scheme, host and path of a URL: neither user nor password, nor parameters, which may hold a
/// password too. Where it is unclear which part is the password, only the scheme is left.
pub fn shown_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return up_to_parameters(url).to_owned();
    };
    // A path, without a user before it.
    if scheme == "sqlite" {
        return format!("{scheme}://{}", up_to_parameters(rest));
    }
    let shown = match rest.rsplit_once('@') {
        None => up_to_parameters(rest),
        // A password that is not percent-encoded may contain these; so may a parameter with an @.
        Some((user, _)) if user.contains(['?', '#', '/']) => "…",
        Some((_, host)) => up_to_parameters(host),
    };
    format!("{scheme}://{shown}")
}

fn up_to_parameters(text: &str) -> &str {
    text.split(['?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        "postgres://me:p@ss@db.example:5432/bridge?password=x",
        "postgres://db.example:5432/bridge"
    )]
    #[case("postgres://me:ge?heim@db.example/bridge", "postgres://…")]
    #[case("postgres://me:ge/heim@db.example/bridge", "postgres://…")]
    #[case("postgres://me:ge#heim@db.example/bridge", "postgres://…")]
    #[case("postgres://db.example/bridge?password=ge@heim", "postgres://…")]
    #[case("https://me:geheim@bridge.example.org/hooks", "https://bridge.example.org/hooks")]
    #[case("sqlite://data/a@b.sqlite?mode=ro", "sqlite://data/a@b.sqlite")]
    #[case("https://bridge.example.org/hooks", "https://bridge.example.org/hooks")]
    fn a_shown_url_has_neither_user_nor_password_however_it_is_written(#[case] url: &str, #[case] shown: &str) {
        assert_eq!(shown_url(url), shown);
    }
}
