//! Times as people at this terminal read them: in their own zone, to the second.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use passerelle_model::config::Reader;

/// The length of a time as the programs write it: `2024-11-22T12:53:20.120Z`.
const WRITTEN: usize = 24;

/// The zone that `TZ` names, else that of this machine.
pub fn zone(reader: &Reader) -> TimeZone {
    let named = reader.optional("TZ");
    let named = named.and_then(|name| TimeZone::get(name.trim_start_matches(':')).ok());
    named.unwrap_or_else(TimeZone::system)
}

/// The text with each time in UTC as the same moment in `zone`: `2024-11-22 13:53:20+01:00`.
pub fn local_times<'a>(text: &'a str, zone: &TimeZone) -> Cow<'a, str> {
    let (mut local, mut done) = (String::new(), 0);
    for (end, _) in text.match_indices('Z') {
        let Some(written) = (end + 1).checked_sub(WRITTEN).and_then(|start| text.get(start..=end)) else {
            continue;
        };
        let start = end + 1 - WRITTEN;
        let is_ours = written.as_bytes().get(10) == Some(&b'T') && written.as_bytes().get(19) == Some(&b'.');
        let Some(moment) = is_ours.then(|| written.parse::<jiff::Timestamp>().ok()).flatten() else {
            continue;
        };
        local.push_str(text.get(done..start).unwrap_or_default());
        local.push_str(
            &moment
                .to_zoned_datetime(zone.clone())
                .strftime("%Y-%m-%d %H:%M:%S%:z")
                .to_string(),
        );
        done = end + 1;
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    local.push_str(text.get(done..).unwrap_or_default());
    Cow::Owned(local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_in_a_text_is_told_in_the_zone_of_the_reader() {
        let zone = TimeZone::get("Europe/Paris").unwrap();
        let text = "Zoë: 2024-11-22T12:53:20.120Z, next 2024-07-01T00:00:00.000Z; not 2024-13-22T12:53:20.120Z";
        let local = "Zoë: 2024-11-22 13:53:20+01:00, next 2024-07-01 02:00:00+02:00; not 2024-13-22T12:53:20.120Z";
        assert_eq!(local_times(text, &zone), local);
        assert!(matches!(local_times("no time, Zürich", &zone), Cow::Borrowed(_)));
    }
}
