//! The file `.env`: settings, one `NAME=value` a line, each taken as it is written.
//!
//! docker compose (`env_file`) and systemd (`EnvironmentFile`) read the same file. Where they
//! disagree on a value, or with us, the line is refused with the way to write it: no file means one
//! thing here and another there. It is never run by a shell.
//!
//! | written | value |
//! |---|---|
//! | `NAME=some text` | `some text`: blanks around it do not count; it has no `$`, no `\` and no ` #` |
//! | `NAME='a$b #c'` | what stands between the quotation marks; no `'` |
//! | `NAME="it's \$5"` | the same; `\"`, `\\` and `\$` stand for the second character |

use super::problem::Problem;

/// What a file says, in its order.
#[derive(Debug, Default)]
pub(super) struct EnvFile {
    pub(super) lines: Vec<Line>,
    pub(super) problems: Vec<Problem>,
}

/// One setting.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) value: String,
    /// `.env:12`.
    pub(super) place: String,
}

/// Why a line is refused, and how to write it. Neither quotes the value: it may be a secret.
type Refusal = (&'static str, String);

impl EnvFile {
    /// Reads the text of a file; `place` is its name in problems.
    pub(super) fn parse(text: &str, place: &str) -> Self {
        let mut file = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let place = format!("{place}:{number}");
            match setting(line.trim()) {
                Ok(None) => {}
                Ok(Some((name, value))) => file.lines.push(Line { name, value, place }),
                Err((what, hint)) => file.problems.push(Problem {
                    place,
                    what: what.to_owned(),
                    hint,
                }),
            }
        }
        file
    }
}

/// The line that gives a setting this value; `None` where no line can, e.g. for a value with a line
/// break.
pub fn env_line(name: &str, value: &str) -> Option<String> {
    let mut escaped = String::new();
    for character in value.chars() {
        if matches!(character, '"' | '\\' | '$') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    let spellings = [value.to_owned(), format!("'{value}'"), format!("\"{escaped}\"")];
    let says_it = |line: &String| {
        let read = EnvFile::parse(line, "");
        let is_it = |only: &Line| only.name == name && only.value == value;
        read.problems.is_empty() && matches!(read.lines.as_slice(), [only] if is_it(only))
    };
    spellings
        .into_iter()
        .map(|written| format!("{name}={written}"))
        .find(says_it)
}

/// The setting of a line; `None` for a comment and an empty line.
fn setting(line: &str) -> Result<Option<(String, String)>, Refusal> {
    if line.starts_with('#') {
        if line.ends_with('\\') {
            let hint = "end the comment with another character: systemd would skip the next line";
            return Err(("is a comment that ends with a backslash", hint.to_owned()));
        }
        return Ok(None);
    }
    if line.is_empty() {
        return Ok(None);
    }
    let Some((name, value)) = line.split_once('=').filter(|(name, _)| is_name(name)) else {
        let hint = match line.strip_prefix("export ") {
            Some(_) => "leave `export` out: no shell reads this file",
            None => "write NAME=value without blanks before the `=`, or begin the line with #",
        };
        return Err(("is neither NAME=value nor a comment", hint.to_owned()));
    };
    let value = match value.trim() {
        quoted if quoted.starts_with('\'') => single_quoted(name, quoted),
        quoted if quoted.starts_with('"') => double_quoted(name, quoted),
        plain => unquoted(name, plain),
    };
    Ok(Some((name.to_owned(), value?)))
}

fn is_name(name: &str) -> bool {
    let mut characters = name.chars();
    let starts_well = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    starts_well && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn unquoted(name: &str, value: &str) -> Result<String, Refusal> {
    let comment = value.starts_with('#') || value.contains(" #") || value.contains("\t#");
    let what = match () {
        () if comment => {
            let quoted = how_to_quote(name, value);
            let hint = format!("give the comment a line of its own; if it belongs to the value, {quoted}");
            return Err(("has a # behind a blank, which may begin a comment", hint));
        }
        () if value.contains('$') => "has a $ without quotation marks, which others would replace",
        () if value.contains('\\') => "has a \\ without quotation marks, which others would remove",
        () => return Ok(value.to_owned()),
    };
    Err((what, how_to_quote(name, value)))
}

fn single_quoted(name: &str, quoted: &str) -> Result<String, Refusal> {
    let inside = quoted.get(1..).unwrap_or_default();
    let (value, rest) = inside.split_once('\'').ok_or_else(|| not_closed('\''))?;
    if !rest.is_empty() {
        return Err(("has something behind the second '", how_to_quote(name, "'")));
    }
    if value.ends_with('\\') {
        return Err((
            "ends with a \\ before the second ', which others take for one sign",
            how_to_quote(name, "'"),
        ));
    }
    Ok(value.to_owned())
}

fn double_quoted(name: &str, quoted: &str) -> Result<String, Refusal> {
    let mut value = String::new();
    let mut characters = quoted.get(1..).unwrap_or_default().chars();
    while let Some(character) = characters.next() {
        match character {
            '"' if characters.as_str().is_empty() => return Ok(value),
            '"' => return Err(("has something behind the second \"", how_to_quote(name, "'"))),
            '\\' => match characters.next() {
                Some(escaped @ ('"' | '\\' | '$')) => value.push(escaped),
                _ => {
                    return Err((
                        "has a \\ before another character than \", \\ and $",
                        how_to_quote(name, "'"),
                    ));
                }
            },
            '$' => return Err(("has a $ without a \\ before it", how_to_quote(name, "'"))),
            character => value.push(character),
        }
    }
    Err(not_closed('"'))
}

fn not_closed(mark: char) -> Refusal {
    (
        "begins with a quotation mark and has no second one",
        format!("end the value with {mark} in the same line"),
    )
}

/// How to write a value that has what `value` has.
fn how_to_quote(name: &str, value: &str) -> String {
    if value.contains('\'') {
        return format!("write {name}=\"…\", with a \\ before each \", \\ and $ in it");
    }
    format!("write {name}='…'")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn value(written: &str) -> Result<String, String> {
        let mut file = EnvFile::parse(&format!("NAME={written}\n"), ".env");
        match file.problems.pop() {
            Some(problem) => Err(format!("{}: {} → {}", problem.place, problem.what, problem.hint)),
            None => Ok(file.lines.remove(0).value),
        }
    }

    #[rstest]
    #[case("a b c d")]
    #[case("semi;colon")]
    #[case("o'clock99")]
    #[case("back`id`tick")]
    #[case("lt<gt>x")]
    #[case("paren(1)x&!*?[]{}|~%^")]
    #[case("hash#tail")]
    #[case("a=b==")]
    #[case("Passerelle <passerelle@example.org>")]
    fn a_value_without_quotation_marks_is_taken_as_it_is_written(#[case] written: &str) {
        assert_eq!(value(written).as_deref(), Ok(written));
        assert_eq!(value(&format!("  {written}\t")).as_deref(), Ok(written));
    }

    #[rstest]
    #[case("Xk$9vQ#2mLp")]
    #[case("tr0ub$$dor&3")]
    #[case("hash #tail")]
    #[case("plain$HOME/x")]
    #[case(r"back\slash")]
    #[case("#")]
    fn a_value_that_others_would_change_is_refused_with_the_way_to_write_it(#[case] password: &str) {
        let refusal = value(password).unwrap_err();
        assert!(
            refusal.starts_with(".env:1: has a ") && refusal.contains("write NAME='…'"),
            "{refusal}"
        );
        assert!(
            !refusal.contains(password) || password == "#",
            "the value is shown: {refusal}"
        );
        assert_eq!(value(&format!("'{password}'")).as_deref(), Ok(password));
    }

    #[rstest]
    #[case(r#""it's \$5""#, "it's $5")]
    #[case(r#""\"\\\$`#""#, r#""\$`#"#)]
    #[case(r#"" blanks ""#, " blanks ")]
    #[case("''", "")]
    #[case("", "")]
    fn in_double_quotation_marks_three_signs_take_a_backslash(#[case] written: &str, #[case] expected: &str) {
        assert_eq!(value(written).as_deref(), Ok(expected));
    }

    #[rstest]
    #[case("'open", "no second one")]
    #[case(r#""open"#, "no second one")]
    #[case("'a' # comment", "behind the second '")]
    #[case(r#""a"b"#, "behind the second \"")]
    #[case(r#""a$b""#, "$ without a \\")]
    #[case(r#""a\nb""#, "another character")]
    #[case(r"'a\'", "ends with a \\")]
    #[case("  # comment", "line of its own")]
    #[case("value # comment", "line of its own")]
    #[case("it's$5", "write NAME=\"…\"")]
    fn what_readers_disagree_about_is_refused(#[case] written: &str, #[case] why: &str) {
        let refusal = value(written).unwrap_err();
        assert!(refusal.contains(why), "{refusal}");
    }

    #[rstest]
    #[case("simple", Some("NAME=simple"))]
    #[case("Xk$9 #2", Some("NAME='Xk$9 #2'"))]
    #[case("it's $5", Some(r#"NAME="it's \$5""#))]
    #[case(" blanks ", Some("NAME=' blanks '"))]
    #[case(r"ends with \", Some(r#"NAME="ends with \\""#))]
    #[case("two\nlines", None)]
    fn a_value_is_written_as_it_is_read(#[case] written: &str, #[case] line: Option<&str>) {
        assert_eq!(env_line("NAME", written).as_deref(), line);
    }

    #[test]
    fn each_line_that_says_nothing_is_named_and_the_others_count() {
        let text = "# a comment\n\nA=1\r\nexport B=2\nC = 3\n  D=4\nwords\n# ends with \\\nA=5\n";
        let file = EnvFile::parse(text, "x.env");
        let read = file.lines.iter().map(|line| (line.name.as_str(), line.value.as_str()));
        assert_eq!(read.collect::<Vec<_>>(), [("A", "1"), ("D", "4"), ("A", "5")]);
        let places: Vec<&str> = file.problems.iter().map(|problem| problem.place.as_str()).collect();
        assert_eq!(places, ["x.env:4", "x.env:5", "x.env:7", "x.env:8"]);
        assert!(file.problems[0].hint.contains("leave `export` out"));
    }
}
