use clap::CommandFactory as _;

use super::*;

#[test]
fn the_command_line_has_no_contradictions() {
    Cli::command().debug_assert();
}

/// Every verb with its words, e.g. `dead list`.
fn verbs(command: &clap::Command, words: &str) -> Vec<(String, clap::Command)> {
    let below = command.get_subcommands().flat_map(|verb| {
        let words = format!("{words} {}", verb.get_name()).trim().to_owned();
        let mut found = verbs(verb, &words);
        found.push((words, verb.clone()));
        found
    });
    below.collect()
}

#[test]
fn the_help_of_every_verb_has_an_example_that_can_be_typed() {
    for (words, verb) in verbs(&Cli::command(), "") {
        let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
        let example = help.strip_prefix("Example: passerelle ");
        let example = example.unwrap_or_else(|| panic!("`passerelle {words} --help` has no example"));
        assert!(example.starts_with(&words), "{words}: {example}");
        let mut typed = vec!["passerelle".to_owned()];
        let parts = example.split('"').enumerate();
        typed.extend(parts.flat_map(|(number, part)| match number % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        }));
        let parsed = Cli::try_parse_from(typed);
        assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
    }
}

#[test]
fn every_verb_has_a_make_target_with_a_line_of_help() {
    let makefile = include_str!("../../../Makefile");
    for (words, verb) in verbs(&Cli::command(), "") {
        let target = match words.as_str() {
            // `up` and `make clean` type the first two; the others are typed once, where the
            // program is installed.
            "supervise" | "idle" | "completions" | "man" | "rules schema" => continue,
            "all" => "run".to_owned(),
            // `make check` is the developer's.
            "check" => "check-rules".to_owned(),
            // Shown and operated by one target, with ARGS.
            below if below.starts_with("gates ") => "gates".to_owned(),
            below if below.starts_with("console ") => "console".to_owned(),
            below if below.starts_with("notices ") => "notices".to_owned(),
            other => other.replace(' ', "-"),
        };
        let is_there = makefile
            .lines()
            .any(|line| line.starts_with(&format!("{target}:")) && line.contains("## "));
        assert!(
            is_there || verb.has_subcommands(),
            "no make target {target} for `passerelle {words}`"
        );
    }
}
