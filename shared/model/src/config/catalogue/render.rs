//! The table as `.env.example` and as the settings page.

use std::fmt::Write as _;

use super::{Default, Program, SETTINGS, Setting};

/// The test that compares both pages with the table.
const TEST: &str = "the_settings_page_and_env_example_are_made_from_the_table";

/// `.env.example` as a whole. What must be set is a line to fill in; everything else is a comment
/// with its default.
pub fn env_example() -> String {
    let mut text = String::from(
        "# Settings of a real installation: copy to .env and fill in. Each program reports everything that is \
         missing or wrong at its start.\n\
         # No shell reads this file: a value is taken as it is written. Put one with $, \\, \" or a # behind a blank between \
         single quotation marks,\n\
         # e.g. NAME='Xk$9 #2'. A comment has a line of its own.\n\
         # Made by `make settings` from shared/model/src/config/catalogue/; docs/SETTINGS.md explains each setting.\n",
    );
    for (group, settings) in groups() {
        let _ = write!(text, "\n# {group}\n");
        for setting in settings {
            let _ = writeln!(text, "{}", line(setting));
        }
    }
    text
}

fn line(setting: &Setting) -> String {
    let Setting {
        name, meaning, values, ..
    } = setting;
    match setting.default {
        Default::Required => format!("# {meaning}\n{name}={}", setting.example),
        Default::Value(default) => format!("# {meaning} ({values})\n# {name}={default}"),
        Default::Unset | Default::Computed(_) => format!("# {meaning} ({values})\n# {name}={}", setting.example),
    }
}

/// `docs/SETTINGS.md` as a whole.
pub fn markdown() -> String {
    let mut text = format!(
        "# Settings\n\n\
         Every setting is an environment variable, or a line of the file `.env` in the working directory.\n\
         [`.env.example`](../.env.example) lists them all: copy it to `.env`. The environment counts more than\n\
         the file. `make doctor` says what is missing or wrong, and in which line. `make settings` makes this page and that file\n\
         from [the table of settings](../shared/model/src/config/catalogue/entries.rs)\n\
         ([`{TEST}`](../shared/model/src/config/catalogue/render.rs#{TEST})).\n\n\
         🔒 marks secrets: no program shows or logs them. Each may stand in a file of its own: `NAME_FILE=/path`\n\
         in the place of `NAME=value`.\n\n\
         A name that is no setting ends no start, so that an earlier version starts with the file of a later\n\
         one. Each program warns of it, and names the setting that may be meant.\n\n\
         ## The file .env\n\n\
         The programs, docker compose (`env_file`) and systemd (`EnvironmentFile`) read the same file. A line on\n\
         which they disagree is refused, with the way to write it. No shell runs it.\n\n\
         | written | value |\n|---|---|\n\
         | `NAME=some text` | `some text`. It may have no `$`, no `\\`, and no `#` behind a blank. |\n\
         | `NAME='Xk$9 #2'` | What stands between the marks. It may have no `'`. |\n\
         | `NAME=\"it's \\$5\"` | `it's $5`. `\\$`, `\\\\` and `\\\"` stand for the second character. |\n\
         | `# text` | A comment: a line of its own. |\n",
    );
    for (group, settings) in groups() {
        let _ = write!(
            text,
            "\n## {group}\n\n| setting | default | values | read by | meaning |\n|---|---|---|---|---|\n"
        );
        for setting in settings {
            let _ = writeln!(text, "{}", row(setting));
        }
    }
    text
}

fn row(setting: &Setting) -> String {
    let lock = if setting.secret { " 🔒" } else { "" };
    let default = match setting.default {
        Default::Required => "**required**".to_owned(),
        Default::Unset => "off".to_owned(),
        Default::Value(value) => format!("`{value}`"),
        Default::Computed(words) => words.to_owned(),
    };
    let programs: Vec<&str> = setting.programs.iter().copied().map(Program::as_str).collect();
    let (name, values, programs) = (setting.name, setting.values, programs.join(", "));
    format!(
        "| `{name}`{lock} | {default} | {values} | {programs} | {} |",
        setting.meaning
    )
}

/// The table in its groups.
fn groups() -> impl Iterator<Item = (&'static str, &'static [Setting])> {
    SETTINGS
        .chunk_by(|a, b| a.group == b.group)
        .filter_map(|settings| Some((settings.first()?.group, settings)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_settings_page_and_env_example_are_made_from_the_table() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for (path, made) in [(".env.example", env_example()), ("docs/SETTINGS.md", markdown())] {
            let text = std::fs::read_to_string(root.join(path)).unwrap_or_default();
            assert!(
                text == made,
                "{path} differs from the table of settings (shared/model/src/config/catalogue/entries.rs): \
                 run `make settings` and commit the result"
            );
        }
    }
}
