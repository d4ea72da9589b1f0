//! The answer of `reconcile` as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use passerelle_worker::maintenance::reconcile::{Finding, Reason};

use super::Reconciled;
use crate::changes;
use crate::text::{Table, Text};

/// Findings that are shown in words; all of them are in the JSON form.
const SHOWN: usize = 30;

pub(super) fn in_words(answer: &Reconciled) -> Text {
    let mut text = Text::from(format!("{} rows were compared with their pages.\n", answer.rows));
    if let Some(before) = &answer.goes_on_after {
        let _ = writeln!(text, "An earlier run had finished {before}.");
    }
    for table in &answer.missing_tables {
        let _ = writeln!(
            text,
            "A rule names the table {table}, which BASEROW_TOKEN cannot see: does it exist, and may the token read it?"
        );
    }
    if let Some(why) = &answer.wiki_unread {
        let _ = writeln!(
            text,
            "The wiki could not be read, so pages were compared with what was last written to them: {why}"
        );
    }
    findings(&mut text, &answer.findings);
    let _ = write!(text, "{}", changes::in_words(&answer.changes));
    if answer.findings.iter().any(|finding| finding.dead_letter.is_some()) && !answer.with_dead {
        let _ = writeln!(
            text,
            "Rows with a dead letter are skipped. When the cause is fixed: passerelle dead replay <letter>, or --with-dead."
        );
    }
    let _ = match (answer.dry_run, answer.findings.is_empty(), answer.asked) {
        (_, true, _) => write!(text, "Nothing to do."),
        (true, false, _) => write!(text, "Dry run: nothing was requested."),
        (false, false, asked) => {
            let where_to_look = "to follow them: passerelle stats --watch";
            write!(text, "{asked} syncs were requested; {where_to_look}")
        }
    };
    text
}

fn findings(text: &mut Text, findings: &[Finding]) {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in findings {
        *reasons.entry(reason(&finding.reason)).or_default() += 1;
    }
    for (reason, count) in reasons {
        let _ = writeln!(text, "  {count:>6}  {reason}");
    }
    let mut table = Table::plain(2);
    for finding in findings.iter().take(SHOWN) {
        let detail = match (&finding.reason, &finding.dead_letter) {
            (Reason::Unmappable(why) | Reason::PageChanged(why), _) => format!(" ({why})"),
            (_, Some(letter)) => format!(" (has the dead letter {letter})"),
            _ => String::new(),
        };
        table.row([
            finding.row.to_string().into(),
            finding.rule.as_str().into(),
            format!("{}{detail}", reason(&finding.reason)).into(),
        ]);
    }
    text.table(table);
    if findings.len() > SHOWN {
        let _ = writeln!(text, "  … and {} more (--json lists all)", findings.len() - SHOWN);
    }
}

fn reason(reason: &Reason) -> &'static str {
    match reason {
        Reason::NoPage => "has no page",
        Reason::PageForgotten => "does not name its page",
        Reason::PageForeign => "names a page that is not its own",
        Reason::Differs => "differs from its page",
        Reason::SubPageDiffers => "differs from a page below its page",
        Reason::PageTrashed => "exists, but its page is in the trash or marked",
        Reason::PageMissing => "exists, but its page was deleted",
        Reason::PageChanged(_) => "has a page that people changed",
        Reason::PageOutOfReach => "has a page in a space that the bridge's account is not in: skipped",
        Reason::RowGone => "no longer exists, but its page does",
        Reason::Unmappable(_) => "cannot be rendered: skipped",
    }
}
