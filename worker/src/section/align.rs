//! Which of the current children become which of the wanted ones.

/// What a child is compared by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// The type of its node; empty for a text.
    pub(super) kind: String,
    /// What its first child says: a row of a table is known by its first cell.
    pub(super) label: Option<String>,
    /// All that it says.
    pub(super) whole: String,
}

/// What happens to a child, in the order of the children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It says what it should.
    Same,
    /// It becomes this one.
    Keep { current: usize, wanted: usize },
    /// It goes.
    Remove,
    /// A new one comes.
    Insert(usize),
}

/// More pairs than this are not weighed: children are paired in their order then.
const MOST_PAIRS: usize = 1_000_000;

impl Key {
    pub(super) const fn of_text(whole: String) -> Self {
        Self {
            kind: String::new(),
            label: None,
            whole,
        }
    }

    /// How well a child fits a wanted one; `None`: a node cannot change its type.
    fn fit(&self, wanted: &Self) -> Option<u32> {
        if self.kind != wanted.kind {
            None
        } else if self.whole == wanted.whole {
            Some(8)
        } else if self.label.is_some() && self.label == wanted.label {
            Some(4)
        } else {
            Some(1)
        }
    }
}

/// The steps that keep the most.
pub(super) fn align(current: &[Key], wanted: &[Key]) -> Vec<Step> {
    let same = |(a, b): &(&Key, &Key)| a == b;
    let head = current.iter().zip(wanted).take_while(same).count();
    let (current_rest, wanted_rest) = (after(current, head), after(wanted, head));
    let tail = current_rest
        .iter()
        .rev()
        .zip(wanted_rest.iter().rev())
        .take_while(same)
        .count();
    let current_middle = before(current_rest, tail);
    let wanted_middle = before(wanted_rest, tail);
    let mut steps = vec![Step::Same; head];
    steps.extend(
        middle(current_middle, wanted_middle)
            .into_iter()
            .map(|step| match step {
                Step::Keep {
                    current: old,
                    wanted: new,
                } if current_middle.get(old) == wanted_middle.get(new) => Step::Same,
                Step::Keep {
                    current: old,
                    wanted: new,
                } => Step::Keep {
                    current: old + head,
                    wanted: new + head,
                },
                Step::Insert(new) => Step::Insert(new + head),
                other => other,
            }),
    );
    steps.extend(vec![Step::Same; tail]);
    steps
}

fn after(keys: &[Key], count: usize) -> &[Key] {
    keys.get(count..).unwrap_or_default()
}

fn before(keys: &[Key], count: usize) -> &[Key] {
    keys.get(..keys.len().saturating_sub(count)).unwrap_or_default()
}

fn middle(current: &[Key], wanted: &[Key]) -> Vec<Step> {
    if current.len().saturating_mul(wanted.len()) > MOST_PAIRS {
        return in_order(current, wanted);
    }
    let best = weights(current, wanted);
    let at = |old: usize, new: usize| best.get(old).and_then(|row| row.get(new)).copied().unwrap_or_default();
    let (mut old, mut new) = (0, 0);
    let mut steps = Vec::new();
    while let (Some(own), Some(other)) = (current.get(old), wanted.get(new)) {
        let fit = own.fit(other);
        if fit.is_some_and(|fit| at(old, new) == at(old + 1, new + 1) + fit) {
            steps.push(Step::Keep {
                current: old,
                wanted: new,
            });
            old += 1;
            new += 1;
        } else if at(old, new) == at(old + 1, new) {
            steps.push(Step::Remove);
            old += 1;
        } else {
            steps.push(Step::Insert(new));
            new += 1;
        }
    }
    steps.extend((old..current.len()).map(|_| Step::Remove));
    steps.extend((new..wanted.len()).map(Step::Insert));
    steps
}

/// For each pair of rests, how much can be kept of them.
fn weights(current: &[Key], wanted: &[Key]) -> Vec<Vec<u32>> {
    let mut rows = vec![vec![0; wanted.len() + 1]];
    for own in current.iter().rev() {
        let below = rows.last().map(Vec::as_slice).unwrap_or_default();
        // Built from its end.
        let mut row = vec![0];
        for (new, other) in wanted.iter().enumerate().rev() {
            let skipped_own = below.get(new).copied().unwrap_or_default();
            let skipped_other = row.last().copied().unwrap_or_default();
            let kept = own
                .fit(other)
                .map_or(0, |fit| fit + below.get(new + 1).copied().unwrap_or_default());
            row.push(kept.max(skipped_own).max(skipped_other));
        }
        row.reverse();
        rows.push(row);
    }
    rows.reverse();
    rows
}

fn in_order(current: &[Key], wanted: &[Key]) -> Vec<Step> {
    let pairs = current.len().min(wanted.len());
    let kept = (0..pairs).flat_map(|place| {
        let fits = current.get(place).map(|key| &key.kind) == wanted.get(place).map(|key| &key.kind);
        if fits {
            vec![Step::Keep {
                current: place,
                wanted: place,
            }]
        } else {
            vec![Step::Remove, Step::Insert(place)]
        }
    });
    let mut steps: Vec<Step> = kept.collect();
    steps.extend((pairs..current.len()).map(|_| Step::Remove));
    steps.extend((pairs..wanted.len()).map(Step::Insert));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(label: &str, value: &str) -> Key {
        Key {
            kind: "tableRow".to_owned(),
            label: Some(label.to_owned()),
            whole: format!("{label} {value}"),
        }
    }

    #[test]
    fn a_row_that_comes_between_others_touches_none_of_them() {
        let current = [row("a", "1"), row("c", "3")];
        let wanted = [row("a", "1"), row("b", "2"), row("c", "3")];
        assert_eq!(align(&current, &wanted), [Step::Same, Step::Insert(1), Step::Same]);
    }

    #[test]
    fn a_row_that_changes_beside_one_that_goes_is_known_by_its_label() {
        let current = [row("a", "1"), row("b", "2"), row("c", "3")];
        let wanted = [row("b", "20"), row("c", "30")];
        let keep = |current, wanted| Step::Keep { current, wanted };
        assert_eq!(align(&current, &wanted), [Step::Remove, keep(1, 0), keep(2, 1)]);
    }

    #[test]
    fn thousands_of_rows_are_paired_in_their_order() {
        let rows = |from: usize| {
            (from..from + 1500)
                .map(|n| row(&n.to_string(), "x"))
                .collect::<Vec<_>>()
        };
        let steps = align(&rows(0), &rows(5000));
        assert_eq!(steps.len(), 1500);
        assert_eq!(steps[7], Step::Keep { current: 7, wanted: 7 });
    }
}
