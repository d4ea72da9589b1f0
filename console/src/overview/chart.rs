//! Charts, as numbers that a template draws: no script, and no picture from elsewhere.

use std::ops::AddAssign;
use std::time::Duration;

use passerelle_model::time::Timestamp;
use passerelle_store::Ended;
use serde::Serialize;

/// The area of a chart, in units of its own.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 96.0;
/// Space between two bars.
const GAP: f64 = 2.0;
/// So that one item among thousands is still seen.
const LOWEST: f64 = 2.0;

/// How many items ended, by what they did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Ends {
    written: i64,
    unchanged: i64,
    dead: i64,
}

impl Ends {
    pub(crate) fn add(&mut self, ended: &Ended) {
        match ended.outcome.as_str() {
            "synced" => self.written += ended.items,
            "dead" | "rejected" => self.dead += ended.items,
            _ => self.unchanged += ended.items,
        }
    }

    pub(crate) fn sum(self) -> i64 {
        self.written + self.unchanged + self.dead
    }
}

impl AddAssign for Ends {
    fn add_assign(&mut self, more: Self) {
        self.written += more.written;
        self.unchanged += more.unchanged;
        self.dead += more.dead;
    }
}

/// Bars over time, each of up to three parts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Bars {
    width: f64,
    height: f64,
    stacks: Vec<Bar>,
    /// The items of all bars.
    pub(crate) all: Ends,
    /// Items in the highest bar.
    highest: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Bar {
    x: f64,
    width: f64,
    parts: Vec<Part>,
    ends: Ends,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Part {
    kind: &'static str,
    y: f64,
    height: f64,
}

/// A line over time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Line {
    width: f64,
    height: f64,
    /// `x,y x,y …`.
    points: String,
    highest: u64,
}

fn exact(n: i64) -> f64 {
    u32::try_from(n).map_or(f64::from(u32::MAX), f64::from)
}

/// The items that ended in each of the last `count` stretches.
pub(crate) fn bars(
    ended: impl Iterator<Item = (Timestamp, Ends)>,
    now: Timestamp,
    stretch: Duration,
    count: u16,
) -> Bars {
    let length = i64::try_from(stretch.as_millis()).unwrap_or(i64::MAX).max(1);
    let first = now.as_millis().div_euclid(length) - i64::from(count) + 1;
    let width = WIDTH / f64::from(count);
    let mut bars: Vec<Bar> = (0..count)
        .map(|place| Bar {
            x: f64::from(place) * width,
            width: width - GAP,
            parts: Vec::new(),
            ends: Ends::default(),
        })
        .collect();
    let mut all = Ends::default();
    for (moment, ends) in ended {
        let place = usize::try_from(moment.as_millis().div_euclid(length) - first);
        if let Some(bar) = place.ok().and_then(|place| bars.get_mut(place)) {
            bar.ends += ends;
            all += ends;
        }
    }
    let highest = bars.iter().map(|bar| bar.ends.sum()).max().unwrap_or(0);
    for bar in &mut bars {
        stack(bar, highest);
    }
    Bars {
        width: WIDTH,
        height: HEIGHT,
        stacks: bars,
        all,
        highest,
    }
}

/// The parts of a bar, from below: what was written, what needed no change, what died.
fn stack(bar: &mut Bar, highest: i64) {
    let mut base = HEIGHT;
    for (kind, items) in [
        ("written", bar.ends.written),
        ("unchanged", bar.ends.unchanged),
        ("dead", bar.ends.dead),
    ] {
        if items > 0 {
            let height = (exact(items) / exact(highest.max(1)) * (HEIGHT - 3.0 * LOWEST)).max(LOWEST);
            base -= height;
            bar.parts.push(Part { kind, y: base, height });
        }
    }
}

/// How much waited, over `span` until now.
pub(crate) fn line(depth: &[(Timestamp, u64)], now: Timestamp, span: Duration) -> Line {
    let highest = depth.iter().map(|(_, waiting)| *waiting).max().unwrap_or(0);
    let begin = now.minus(span);
    let place = |(at, waiting): &(Timestamp, u64)| {
        let x = at.since(begin).as_secs_f64() / span.as_secs_f64() * WIDTH;
        let share = exact(i64::try_from(*waiting).unwrap_or(i64::MAX))
            / exact(i64::try_from(highest.max(1)).unwrap_or(i64::MAX));
        format!("{x:.1},{:.1}", HEIGHT - LOWEST - share * (HEIGHT - 2.0 * LOWEST))
    };
    Line {
        width: WIDTH,
        height: HEIGHT,
        points: depth.iter().map(place).collect::<Vec<_>>().join(" "),
        highest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn ended(from: i64, outcome: &str, items: i64) -> (Timestamp, Ends) {
        let (from, mut ends) = (Timestamp::from_millis(from * 60_000), Ends::default());
        ends.add(&Ended {
            from,
            outcome: outcome.to_owned(),
            items,
        });
        (from, ends)
    }

    #[test]
    fn each_item_stands_in_the_bar_of_its_minute_and_in_the_part_of_its_kind() {
        let now = Timestamp::from_millis(100 * 60_000 + 30_000);
        let found = [
            ended(100, "synced", 6),
            ended(100, "dead", 2),
            ended(41, "echo", 4),
            ended(12, "synced", 9),
        ];
        let chart = bars(found.into_iter(), now, MINUTE, 60);
        assert_eq!((chart.all.written, chart.all.unchanged, chart.all.dead), (6, 4, 2));
        assert_eq!(chart.highest, 8);
        let last = chart.stacks.last().unwrap();
        let kinds: Vec<_> = last.parts.iter().map(|part| part.kind).collect();
        assert_eq!(kinds, ["written", "dead"]);
        assert_eq!(
            chart.stacks[0].ends.unchanged, 4,
            "the first bar is 59 minutes before the last"
        );
    }

    #[test]
    fn one_item_among_a_million_is_seen_and_no_bar_leaves_its_chart() {
        let now = Timestamp::from_millis(100 * 60_000);
        let found = [
            ended(100, "synced", 1_000_000),
            ended(100, "dead", 1),
            ended(100, "echo", 1),
            ended(99, "dead", 1),
        ];
        let chart = bars(found.into_iter(), now, MINUTE, 60);
        for part in chart.stacks.iter().flat_map(|bar| &bar.parts) {
            assert!(part.height >= LOWEST && part.y >= 0.0, "{part:?}");
        }
    }

    #[test]
    fn a_line_ends_at_its_right_edge_and_its_highest_point_is_at_the_top() {
        let now = Timestamp::from_millis(3_600_000);
        let depth = [
            (Timestamp::from_millis(0), 0),
            (Timestamp::from_millis(1_800_000), 36),
            (now, 18),
        ];
        let line = line(&depth, now, Duration::from_hours(1));
        assert_eq!(line.points, "0.0,94.0 300.0,2.0 600.0,48.0");
        assert_eq!(line.highest, 36);
    }
}
