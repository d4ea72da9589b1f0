//! An age in its largest unit, at a glance.

use std::time::Duration;

/// `12s`, `5m`, `3h`, `2d`.
pub fn in_largest_unit(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m", seconds / 60),
        seconds @ 3600..86_400 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}
