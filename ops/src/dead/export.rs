//! `dead export`: one JSON object per line, queue by queue and page by page, so that any number
//! fits.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use passerelle_model::time::{Timestamp, as_rfc_3339};
use passerelle_queue::QueueName;

use super::Filter;
use super::find::{self, Found};
use crate::console::Console;
use crate::operator::Operator;
use crate::trouble::Trouble;

/// Writes the letters to a new file, or to the output.
pub(super) async fn run(
    operator: &Operator,
    filter: &Filter,
    to: Option<&Path>,
    console: &mut Console,
) -> Result<(), Trouble> {
    let Some(path) = to else {
        write_all(operator, filter, console.lines()).await?;
        return Ok(());
    };
    let not_written = |error: std::io::Error| Trouble::Output(format!("{}: {error}", path.display()));
    let mut file = BufWriter::new(File::create_new(path).map_err(not_written)?);
    let written = write_all(operator, filter, &mut file).await?;
    file.flush().map_err(not_written)?;
    console.note(&format!("{written} dead letters written to {}.", path.display()));
    Ok(())
}

async fn write_all(operator: &Operator, filter: &Filter, out: &mut (dyn Write + Send)) -> Result<u64, Trouble> {
    let most = filter.limit.map_or(u64::MAX, u64::from);
    let mut written = 0;
    for queue in find::queues(filter) {
        written += write_queue(operator, queue, filter, most - written, out).await?;
    }
    Ok(written)
}

async fn write_queue(
    operator: &Operator,
    name: QueueName,
    filter: &Filter,
    most: u64,
    out: &mut (dyn Write + Send),
) -> Result<u64, Trouble> {
    let (now, queue) = (Timestamp::now(), operator.queue_of(name));
    let (mut written, mut after) = (0, None::<String>);
    loop {
        let page = queue.dead_letters(after.as_deref(), find::PAGE).await?;
        let Some(last) = page.last() else { return Ok(written) };
        after = Some(last.id.clone());
        for letter in page {
            if written == most {
                return Ok(written);
            }
            if !find::matches(filter, &letter, now) {
                continue;
            }
            let found = Found { queue: name, letter };
            let line = as_rfc_3339(|| serde_json::to_string(&found)).map_err(Trouble::output)?;
            writeln!(out, "{line}").map_err(Trouble::output)?;
            written += 1;
        }
    }
}
