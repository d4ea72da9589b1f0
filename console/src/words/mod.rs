//! What the console says, in English and French: one table for each, and numbers and durations as
//! they are written there.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

/// A language that the console speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tongue {
    /// English; also where a reader's browser asks for none of these.
    English,
    /// French.
    French,
}

type Table = BTreeMap<String, String>;

static ENGLISH: LazyLock<Table> = LazyLock::new(|| read(include_str!("en.toml")));
static FRENCH: LazyLock<Table> = LazyLock::new(|| {
    let texts = read(include_str!("fr.toml")).into_iter();
    texts.map(|(key, text)| (key, unbroken(&text))).collect()
});

/// No line begins with a sign before which French has a space.
fn unbroken(text: &str) -> String {
    let signs = [":", ";", "!", "?", "»"];
    let text = signs.iter().fold(text.to_owned(), |text, sign| {
        text.replace(&format!(" {sign}"), &format!("\u{a0}{sign}"))
    });
    text.replace("« ", "«\u{a0}")
}

/// A test reads both tables: they are part of the program.
fn read(text: &str) -> Table {
    toml::from_str(text).unwrap_or_default()
}

impl Tongue {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::English, Self::French];

    /// The one that a reader's browser asks for first.
    pub fn of_header(accept_language: &str) -> Self {
        let mut best = (0.0, Self::English);
        for part in accept_language.split(',') {
            let mut pieces = part.split(';').map(str::trim);
            let name = pieces.next().unwrap_or_default().to_ascii_lowercase();
            let weight = pieces
                .find_map(|piece| piece.strip_prefix("q=")?.parse::<f32>().ok())
                .unwrap_or(1.0);
            let tongue = match name.split('-').next() {
                Some("fr") => Self::French,
                Some("en") => Self::English,
                _ => continue,
            };
            if weight > best.0 {
                best = (weight, tongue);
            }
        }
        best.1
    }

    /// The language tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }

    const fn separator(self) -> &'static str {
        match self {
            Self::English => ",",
            Self::French => "\u{202f}",
        }
    }

    fn table(self) -> &'static Table {
        match self {
            Self::English => &ENGLISH,
            Self::French => &FRENCH,
        }
    }

    /// Whether there is such a text.
    pub fn knows(self, key: &str) -> bool {
        self.table().contains_key(key)
    }

    /// The text of a key, with its placeholders filled in. A key without a text is shown as itself.
    pub fn say(self, key: &str, values: &[(&str, &str)]) -> String {
        let Some(text) = self.table().get(key) else {
            return key.to_owned();
        };
        let mut said = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            said.push_str(before);
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            let value = values.iter().find(|(known, _)| *known == name);
            said.push_str(value.map_or("", |(_, value)| value));
            rest = after;
        }
        said.push_str(rest);
        said
    }

    /// The text of a key for so many things: `key.one` for one (in French for none, too), else
    /// `key.many`; `{n}` is the number.
    pub fn count(self, key: &str, n: u64, values: &[(&str, &str)]) -> String {
        let is_one = n == 1 || (n == 0 && self == Self::French);
        let key = format!("{key}.{}", if is_one { "one" } else { "many" });
        let number = self.number(n);
        let mut all = vec![("n", number.as_str())];
        all.extend_from_slice(values);
        self.say(&key, &all)
    }

    /// A system as people call it, by its word in the ledger.
    pub fn system(self, target: &str) -> String {
        match target {
            "baserow" => "Baserow".to_owned(),
            "docmost" => "Docmost".to_owned(),
            "redis" => "Redis".to_owned(),
            "slack" => "Slack".to_owned(),
            "store" | "bridge" | "smtp" => self.say(&format!("target.{target}"), &[]),
            other => other.to_owned(),
        }
    }

    /// A number, its thousands set apart.
    pub fn number(self, n: u64) -> String {
        let digits = n.to_string();
        let mut written = String::with_capacity(digits.len() * 2);
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                written.push_str(self.separator());
            }
            written.push(digit);
        }
        written
    }

    /// How long something takes or took, in its largest unit.
    pub fn span(self, span: Duration) -> String {
        let day = match self {
            Self::English => "d",
            Self::French => "j",
        };
        match span.as_millis() {
            0 => "0 ms".to_owned(),
            millis @ 1..1000 => format!("{millis} ms"),
            _ => match span.as_secs() {
                seconds @ 0..60 => format!("{seconds} s"),
                seconds @ 60..3600 => format!("{} min", seconds / 60),
                seconds @ 3600..172_800 => format!("{} h", seconds / 3600),
                seconds => format!("{} {day}", seconds / 86_400),
            },
        }
    }

    /// How long something took, more exactly.
    pub fn took(self, span: Duration) -> String {
        match span.as_millis() {
            millis @ 0..1000 => format!("{millis} ms"),
            1000..120_000 => {
                let seconds = format!("{:.1} s", span.as_secs_f64());
                match self {
                    Self::English => seconds,
                    Self::French => seconds.replace('.', ","),
                }
            }
            _ => format!("{} min", span.as_secs() / 60),
        }
    }

    /// How long ago something was.
    pub fn ago(self, age: Duration) -> String {
        match age.as_secs() {
            0..2 => self.say("time.now", &[]),
            _ => self.say("time.ago", &[("span", &self.span(age))]),
        }
    }
}

#[cfg(test)]
mod tests;
