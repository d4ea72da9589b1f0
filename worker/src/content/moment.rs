//! Dates, moments and durations as Baserow's people see them.

use jiff::civil;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use passerelle_model::config::Language;

use super::field::DateFormat;

impl DateFormat {
    /// A date (`2026-01-31`) or a moment (`2026-01-31T10:00:00Z`) as people see it; `None` if it is
    /// neither.
    pub(super) fn show(&self, text: &str) -> Option<String> {
        let days = match self.order.as_str() {
            "EU" => "%d/%m/%Y",
            "US" => "%m/%d/%Y",
            _ => "%Y-%m-%d",
        };
        if let Some(date) = day(text) {
            return Some(date.strftime(days).to_string());
        }
        let moment = moment(text, &self.zone)?;
        let hours = match (self.with_time, self.twelve_hours) {
            (false, _) => "",
            (true, false) => " %H:%M",
            (true, true) => " %I:%M %p",
        };
        let zone = if self.with_time && self.with_zone { " %Z" } else { "" };
        Some(moment.strftime(&format!("{days}{hours}{zone}")).to_string())
    }
}

/// A date without a time.
pub fn day(text: &str) -> Option<civil::Date> {
    (text.len() == "2026-01-31".len()).then(|| text.parse().ok()).flatten()
}

/// A moment, told in a zone.
pub fn moment(text: &str, zone: &TimeZone) -> Option<ZonedDateTime> {
    let moment: Timestamp = text.parse().ok()?;
    Some(moment.to_zoned_datetime(zone.clone()))
}

/// The pattern of a date in numbers, e.g. `05/12/2026`.
pub const fn date_in_numbers(language: Language) -> &'static str {
    match language {
        Language::French | Language::English => "%d/%m/%Y",
        Language::German => "%d.%m.%Y",
    }
}

/// A moment in numbers, e.g. `05/12/2026 06:00`.
pub fn in_numbers(moment: &ZonedDateTime, language: Language) -> String {
    moment
        .strftime(&format!("{} %H:%M", date_in_numbers(language)))
        .to_string()
}

/// A duration in a format that Baserow calls by this name, e.g. `h:mm`.
pub(super) fn duration(seconds: f64, format: &str) -> String {
    let places = format.rsplit_once("ss.").map_or(0, |(_, fraction)| fraction.len());
    let unit = match format {
        "d h" => 3600.0,
        "h:mm" | "d h:mm" | "d h mm" | "" => 60.0,
        _ => 1.0,
    };
    let unit = match places {
        1 => 0.1,
        2 => 0.01,
        3 => 0.001,
        _ => unit,
    };
    let rounded = (seconds.abs() / unit).round() * unit;
    let (days, hours) = ((rounded / 86400.0).floor(), (rounded / 3600.0).floor());
    let (minutes, rest) = ((rounded % 3600.0 / 60.0).floor(), rounded % 60.0);
    let hours_of_day = hours % 24.0;
    let width = if places == 0 { 2 } else { places + 3 };
    let sign = if seconds < 0.0 && rounded > 0.0 { "-" } else { "" };
    let shown = match format {
        "d h" => format!("{days}d {hours_of_day}h"),
        "d h:mm" => format!("{days}d {hours_of_day}:{minutes:02}"),
        "d h:mm:ss" => format!("{days}d {hours_of_day}:{minutes:02}:{rest:02.0}"),
        "d h mm" => format!("{days}d {hours_of_day}h {minutes:02}m"),
        "d h mm ss" => format!("{days}d {hours_of_day}h {minutes:02}m {rest:02.0}s"),
        "h:mm" | "" => format!("{hours}:{minutes:02}"),
        _ => format!("{hours}:{minutes:02}:{rest:0width$.places$}"),
    };
    format!("{sign}{shown}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_shown_in_the_format_of_its_field() {
        for (seconds, format, shown) in [
            (5400.0, "h:mm", "1:30"),
            (5429.0, "h:mm", "1:30"),
            (5430.0, "h:mm", "1:31"),
            (-5400.0, "h:mm", "-1:30"),
            (90000.0, "h:mm", "25:00"),
            (5025.0, "h:mm:ss", "1:23:45"),
            (5025.25, "h:mm:ss.s", "1:23:45.3"),
            (5025.25, "h:mm:ss.ss", "1:23:45.25"),
            (5.001, "h:mm:ss.sss", "0:00:05.001"),
            (93600.0, "d h", "1d 2h"),
            (95640.0, "d h:mm", "1d 2:34"),
            (95696.0, "d h:mm:ss", "1d 2:34:56"),
            (93780.0, "d h mm", "1d 2h 03m"),
            (93784.0, "d h mm ss", "1d 2h 03m 04s"),
        ] {
            assert_eq!(duration(seconds, format), shown, "{seconds} in {format}");
        }
    }
}
