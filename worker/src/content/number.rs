//! Decimal numbers as people write them. Nothing is computed: the digits are Baserow's.

use passerelle_model::config::Language;

/// How a number looks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NumberFormat {
    /// Between thousands.
    pub thousands: &'static str,
    /// Before the decimals; empty means a point.
    pub decimal: &'static str,
    /// How many decimals; `None` for as many as there are.
    pub places: Option<usize>,
    pub prefix: String,
    pub suffix: String,
}

impl NumberFormat {
    /// The separators that Baserow calls by this word.
    pub(super) fn separated(word: &str) -> Self {
        let (thousands, decimal) = match word {
            "SPACE_COMMA" => (" ", ","),
            "SPACE_PERIOD" => (" ", "."),
            "COMMA_PERIOD" => (",", "."),
            "PERIOD_COMMA" => (".", ","),
            _ => ("", "."),
        };
        Self {
            thousands,
            decimal,
            ..Self::default()
        }
    }

    /// The separators of a language, with this many decimals (`None`: as many as there are).
    pub fn of(language: Language, places: Option<usize>) -> Self {
        // French has a space that no line ends at.
        let (thousands, decimal) = match language {
            Language::French => ("\u{202f}", ","),
            Language::English => (",", "."),
            Language::German => (".", ","),
        };
        Self {
            thousands,
            decimal,
            places,
            ..Self::default()
        }
    }

    /// A number as Baserow gives it (`-1234.5`, `1E+3`), as people see it; `None` if it is no
    /// finite number.
    pub fn show(&self, number: &str) -> Option<String> {
        let plain = plain(number, self.places)?;
        let (sign, digits) = match plain.strip_prefix('-') {
            Some(rest) => ("-", rest),
            None => ("", plain.as_str()),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let mut shown = format!("{sign}{}{}", self.prefix, grouped(whole, self.thousands));
        if !fraction.is_empty() {
            shown.push_str(if self.decimal.is_empty() { "." } else { self.decimal });
            shown.push_str(fraction);
        }
        shown.push_str(&self.suffix);
        Some(shown.trim().to_owned())
    }
}

/// A number with a sign, digits, and so many decimals.
fn plain(number: &str, places: Option<usize>) -> Option<String> {
    let number = number.trim();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain =
        digits(whole.strip_prefix('-').unwrap_or(whole)) && whole.len() > usize::from(whole.starts_with('-'));
    if is_plain && digits(fraction) && places.is_none_or(|places| fraction.len() <= places) {
        let width = places.unwrap_or(fraction.len());
        let point = if width == 0 { "" } else { "." };
        return Some(format!("{whole}{point}{fraction:0<width$}"));
    }
    let value: f64 = number.parse().ok().filter(|value: &f64| value.is_finite())?;
    Some(match places {
        Some(places) => format!("{value:.places$}"),
        None => value.to_string(),
    })
}

fn grouped(digits: &str, separator: &str) -> String {
    let count = digits.len();
    let mut grouped = String::with_capacity(count + count / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (count - position).is_multiple_of(3) {
            grouped.push_str(separator);
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_shown_with_the_separators_and_decimals_of_its_field() {
        let shown = |separator: &str, places: usize, number: &str| {
            let format = NumberFormat {
                places: Some(places),
                ..NumberFormat::separated(separator)
            };
            format.show(number).unwrap()
        };
        assert_eq!(shown("SPACE_COMMA", 2, "1234567.5"), "1 234 567,50");
        assert_eq!(shown("COMMA_PERIOD", 0, "-999"), "-999");
        assert_eq!(shown("PERIOD_COMMA", 1, "-1000.25"), "-1.000,2");
        assert_eq!(shown("", 2, "0.5"), "0.50");
        assert_eq!(shown("", 0, "1E+3"), "1000");
        let euros = NumberFormat {
            prefix: "€".to_owned(),
            suffix: " HT".to_owned(),
            ..NumberFormat::separated("SPACE_COMMA")
        };
        assert_eq!(euros.show("-1234.50").unwrap(), "-€1 234,50 HT");
    }

    #[test]
    fn what_is_no_finite_number_is_not_shown() {
        for text in ["NaN", "Infinity", "", "-", "1.2.3", "abc"] {
            assert_eq!(NumberFormat::default().show(text), None, "{text}");
        }
    }
}
