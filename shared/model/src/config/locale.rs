//! In which language and time zone pages and messages are written.

use std::str::FromStr;

use jiff::tz::TimeZone;

use super::reader::Reader;

/// A language, as far as numbers, dates and small words follow it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Language {
    /// `fr`: `05/12/2026`, `1 234,50`.
    #[default]
    French,
    /// `en`: `05/12/2026`, `1,234.50`.
    English,
    /// `de`: `05.12.2026`, `1.234,50`.
    German,
}

/// A language that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the language is none of fr, en, de")]
pub struct UnknownLanguage;

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "fr" => Ok(Self::French),
            "en" => Ok(Self::English),
            "de" => Ok(Self::German),
            _ => Err(UnknownLanguage),
        }
    }
}

/// For whom numbers, dates and times are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locale {
    /// `BRIDGE_LOCALE`.
    pub language: Language,
    /// `BRIDGE_TIME_ZONE`: where a moment is told that names no zone of its own.
    pub zone: TimeZone,
}

/// The zone of those who set none.
const ZONE: &str = "Europe/Paris";

impl Default for Locale {
    fn default() -> Self {
        Self {
            language: Language::default(),
            zone: TimeZone::get(ZONE).unwrap_or(TimeZone::UTC),
        }
    }
}

impl Locale {
    /// Reads `BRIDGE_LOCALE` and `BRIDGE_TIME_ZONE`.
    pub fn read(reader: &mut Reader) -> Self {
        let language = reader
            .text("BRIDGE_LOCALE", "fr")
            .parse()
            .unwrap_or_else(|error: UnknownLanguage| {
                reader.problem("BRIDGE_LOCALE", &error.to_string(), "leave it out for fr");
                Language::default()
            });
        let name = reader.text("BRIDGE_TIME_ZONE", ZONE);
        let zone = TimeZone::get(&name).unwrap_or_else(|error| {
            let hint = "use a name of the time zone database, e.g. Europe/Paris";
            reader.problem("BRIDGE_TIME_ZONE", &error.to_string(), hint);
            TimeZone::UTC
        });
        Self { language, zone }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_is_french_in_paris_unless_it_is_set() {
        let mut reader = Reader::from_pairs(Vec::<(String, String)>::new());
        let locale = Locale::read(&mut reader);
        assert_eq!(locale, Locale::default());
        assert_eq!(locale.zone.iana_name(), Some(ZONE));
    }

    #[test]
    fn a_language_or_zone_that_does_not_exist_is_a_problem() {
        let mut reader = Reader::from_pairs([("BRIDGE_LOCALE", "xx"), ("BRIDGE_TIME_ZONE", "Europe/Nowhere")]);
        let locale = Locale::read(&mut reader);
        let problems = reader.finish(locale).unwrap_err().to_string();
        assert!(
            problems.contains("BRIDGE_LOCALE") && problems.contains("BRIDGE_TIME_ZONE"),
            "{problems}"
        );
    }
}
