//! `check`: whether `bridge.toml` and its templates are right, before a process reads them. The
//! worker's compiler and the ingress' reader judge the file; with `--live` the real tables, fields
//! and spaces do too. All problems are reported at once.

mod reach;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use passerelle_model::config::{
    BaserowSettings, BridgeFileSettings, DocmostSettings, Locale, Problem, Reader, RedisSettings,
};
use passerelle_worker::clients::baserow::Baserow;
use passerelle_worker::rule_files::{self, Loaded, read_rule_sources};
use passerelle_worker::rules::{RuleSources, Rules};
use serde::Serialize;

use crate::console::Console;
use crate::sample::Samples;
use crate::survey::{Products, Survey, space_problems};
use crate::text::number;
use crate::trouble::Trouble;

/// `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Also compare with the tables and fields of Baserow and the spaces of Docmost.
    #[arg(long)]
    pub live: bool,
    /// Check this file. Default: the one that BRIDGE_FILE names.
    #[arg(long)]
    pub file: Option<PathBuf>,
}

/// The answer.
#[derive(Debug, Serialize)]
struct Checked {
    file: String,
    /// The names of the rules, as far as the file could be read.
    rules: Vec<String>,
    /// The same of `[[wiki]]`.
    wiki_rules: Vec<String>,
    /// Whether it was compared with Baserow and Docmost.
    live: bool,
    problems: Vec<Problem>,
}

/// Checks the file; fails if anything is wrong with it.
pub async fn run(verb: &Check, reader: Reader, console: &mut Console) -> Result<(), Trouble> {
    let checked = Checked::of(verb, reader).await?;
    console.answer(&checked, in_words)?;
    match checked.problems.len() {
        0 => Ok(()),
        some => Err(Trouble::found("problems", counted(some), "each says what to do")),
    }
}

/// What `check --live` finds.
pub(crate) async fn live(reader: Reader) -> Result<Vec<Problem>, Trouble> {
    let verb = Check { live: true, file: None };
    Ok(Checked::of(&verb, reader).await?.problems)
}

impl Checked {
    async fn of(verb: &Check, mut reader: Reader) -> Result<Self, Trouble> {
        let path = match &verb.file {
            Some(path) => path.clone(),
            None => BridgeFileSettings::read(&reader).path,
        };
        let systems = verb.live.then(|| Systems::read(&mut reader));
        let locale = Locale::read(&mut reader);
        reader.finish(())?;
        let mut checked = Self {
            file: path.display().to_string(),
            rules: Vec::new(),
            wiki_rules: Vec::new(),
            live: verb.live,
            problems: Vec::new(),
        };
        match read_rule_sources(&path) {
            Ok(sources) => checked.judge(&path, &sources, &locale, systems).await?,
            Err(problems) => checked.problems = problems.0,
        }
        Ok(checked)
    }

    async fn judge(
        &mut self,
        path: &Path,
        sources: &RuleSources,
        locale: &Locale,
        systems: Option<Systems>,
    ) -> Result<(), Trouble> {
        let rules = sources.file.rules.iter().map(|rule| rule.get_ref().name.clone());
        self.rules = rules.collect();
        let wiki = sources.file.wiki.iter().map(|rule| rule.get_ref().name.clone());
        self.wiki_rules = wiki.collect();
        let (rules, problems) = compiled(sources, path, locale);
        self.problems.extend(problems);
        if let (Some(rules), Some(systems)) = (rules, systems) {
            self.problems.extend(systems.look(sources, &rules).await?);
        }
        let callers = caller_problems(path).into_iter();
        let others: Vec<Problem> = callers.filter(|problem| !self.problems.contains(problem)).collect();
        self.problems.extend(others);
        Ok(())
    }
}

/// The rules of the files, if they can be used, and what is wrong with them.
pub(crate) fn compiled(sources: &RuleSources, path: &Path, locale: &Locale) -> (Option<Rules>, Vec<Problem>) {
    match rule_files::compile(sources, path, locale) {
        Ok(Loaded { rules, .. }) => {
            let problems = reach::problems(sources, &rules);
            (Some(rules), problems)
        }
        Err(problems) => (None, problems.0),
    }
}

/// The real systems, for `--live`.
struct Systems {
    redis: RedisSettings,
    baserow: BaserowSettings,
    docmost: DocmostSettings,
}

impl Systems {
    fn read(reader: &mut Reader) -> Self {
        Self {
            redis: RedisSettings::read(reader),
            baserow: BaserowSettings::read(reader),
            docmost: DocmostSettings::read(reader),
        }
    }

    /// What does not fit the real systems; a system that does not answer is a problem too.
    async fn look(&self, sources: &RuleSources, rules: &Rules) -> Result<Vec<Problem>, Trouble> {
        let products = Products::new(&self.redis, &self.baserow, &self.docmost)?;
        let unasked = |setting: &str, what: String| Problem {
            place: setting.to_owned(),
            what,
            hint: "`passerelle doctor` says more".to_owned(),
        };
        let (survey, account) = tokio::join!(Survey::look(&products.baserow, rules), products.docmost.account());
        let mut problems = match survey {
            Ok(survey) => {
                let mut found = survey.all_problems(sources, rules);
                match survey.missing_rights(&products.baserow, sources, rules).await {
                    Ok(missing) => found.extend(missing),
                    Err(failure) => found.push(unasked("BASEROW_URL", failure.message)),
                }
                if found.is_empty() {
                    // A table that does not fit its rule would only say the same once more.
                    found = first_rows(&products.baserow, &survey, sources, rules).await;
                }
                found
            }
            Err(failure) => vec![unasked("BASEROW_URL", failure.message)],
        };
        match account {
            Ok(account) => problems.extend(space_problems(&account, sources, rules)),
            Err(failure) => problems.push(unasked("DOCMOST_URL", failure.message)),
        }
        Ok(problems)
    }
}

/// What the first row of each table shows: a value that does not fit a filter, a field that cannot
/// be read.
async fn first_rows(baserow: &Baserow, survey: &Survey, sources: &RuleSources, rules: &Rules) -> Vec<Problem> {
    let samples = Samples {
        baserow,
        survey,
        rules,
        bridge: "",
    };
    let mut problems = Vec::new();
    for rule in rules.pages() {
        let Some(table) = survey.table(&rule.table) else {
            continue;
        };
        let rendered = match samples.first(table).await {
            Ok(Some(row)) => samples
                .render(rule, table, &row)
                .await
                .map_err(|failure| (Some(row.id()), failure)),
            Ok(None) => continue,
            Err(failure) => Err((None, failure)),
        };
        if let Err((row, failure)) = rendered {
            let row = row.map_or_else(String::new, |row| format!(", row {row}"));
            problems.push(Problem {
                place: sources.place_of(&rule.name, &["page"]),
                what: format!("the table {:?}{row}: {}", table.table.name, failure.message),
                hint: "mend the template, or the field in Baserow; `passerelle preview` shows the page".to_owned(),
            });
        }
    }
    problems
}

/// What the ingress says about the `[sources]` of this file. `doctor` examines its other settings
/// and the secrets.
fn caller_problems(path: &Path) -> Vec<Problem> {
    let place = path.display().to_string();
    let mut reader = Reader::from_pairs([("BRIDGE_FILE", place.clone())]);
    let settings = passerelle_ingress::settings::Settings::read(&mut reader);
    let problems = reader
        .finish(settings)
        .err()
        .map_or_else(Vec::new, |problems| problems.0);
    let of_file = problems.into_iter().filter(|problem| problem.place.starts_with(&place));
    of_file.collect()
}

fn in_words(checked: &Checked) -> String {
    let mut text = String::new();
    let mut rules = number(checked.rules.len(), "rule");
    if !checked.wiki_rules.is_empty() {
        let _ = write!(rules, " and {}", number(checked.wiki_rules.len(), "wiki rule"));
    }
    if checked.problems.is_empty() {
        let against = if checked.live {
            ", and they fit Baserow and Docmost"
        } else {
            ""
        };
        let names = [checked.rules.as_slice(), &checked.wiki_rules].concat().join(", ");
        let _ = writeln!(text, "{}: {rules}, no problems{against}: {names}", checked.file);
        if !checked.live {
            text.push_str("To compare with the real tables, fields and spaces: passerelle check --live\n");
        }
        return text;
    }
    let (file, count) = (&checked.file, counted(checked.problems.len()));
    let _ = writeln!(text, "{file}: {rules}, {count}");
    for Problem { place, what, hint } in &checked.problems {
        let _ = write!(text, "\n{place}\n  {what}\n  → {hint}\n");
    }
    text
}

fn counted(problems: usize) -> String {
    number(problems, "problem")
}
