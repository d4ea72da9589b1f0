//! The rules as the console shows them: read from their file each time, and compared with Baserow.

use std::path::PathBuf;

use futures::future::BoxFuture;
use passerelle_console::diagnosis::Examined;
use passerelle_console::reconcile::{Progress, Wanted};
use passerelle_console::rulebook::{Does, Previewed, ReadsRules, RuleSheet, Rulebook};
use passerelle_model::config::{
    BaserowSettings, BridgeFileSettings, DocmostSettings, Locale, Problem, Reader, RedisSettings, Rule, StoreSettings,
};
use passerelle_model::id::RowKey;
use passerelle_store::Store;
use passerelle_worker::rule_files::{self, read_rule_sources};
use passerelle_worker::rules::{RuleSources, Rules};
use tokio_util::sync::CancellationToken;

use crate::check;
use crate::doctor;
use crate::preview::{self, Systems};
use crate::reconcile;
use crate::survey::{Products, Survey};
use crate::trouble::Trouble;

/// Where the rules stand, and the systems that they are about.
#[derive(Debug)]
pub struct RuleFile {
    reader: Reader,
    path: PathBuf,
    locale: Locale,
    /// Why the systems cannot be asked, where settings of theirs are missing: the console needs
    /// none of them.
    systems: Result<Settings, String>,
}

#[derive(Debug)]
struct Settings {
    redis: RedisSettings,
    baserow: BaserowSettings,
    docmost: DocmostSettings,
    store: StoreSettings,
}

impl Settings {
    fn products(&self) -> Result<Products, Trouble> {
        Products::new(&self.redis, &self.baserow, &self.docmost)
    }
}

impl RuleFile {
    /// Reads the settings. What is wrong with them is told where it is needed.
    pub fn read(reader: &Reader) -> Self {
        let (all, mut reader) = (reader.afresh(), reader.afresh());
        let path = BridgeFileSettings::read(&reader).path;
        let locale = Locale::read(&mut reader);
        let settings = Settings {
            redis: RedisSettings::read(&mut reader),
            baserow: BaserowSettings::read(&mut reader),
            docmost: DocmostSettings::read(&mut reader),
            store: StoreSettings::read(&mut reader),
        };
        Self {
            reader: all,
            path,
            locale,
            systems: reader.finish(settings).map_err(|problems| problems.to_string()),
        }
    }

    async fn survey(&self, rules: &Rules) -> Result<Survey, String> {
        let settings = self.systems.as_ref().map_err(Clone::clone)?;
        let products = settings.products().map_err(|trouble| trouble.to_string())?;
        let seen = Survey::look(&products.baserow, rules).await;
        seen.map_err(|failure| failure.message)
    }

    async fn compared(&self) -> Rulebook {
        let sources = match read_rule_sources(&self.path) {
            Ok(sources) => sources,
            Err(problems) => {
                return Rulebook {
                    rules: Vec::new(),
                    problems: problems.0,
                    unasked: None,
                };
            }
        };
        let (rules, mut problems) = check::compiled(&sources, &self.path, &self.locale);
        let (mut survey, mut unasked) = (None, None);
        if let Some(rules) = rules {
            match self.survey(&rules).await {
                Err(why) => unasked = Some(why),
                Ok(seen) => {
                    problems.extend(seen.all_problems(&sources, &rules));
                    survey = Some(seen);
                }
            }
        }
        let rules = sources.file.rules.iter().map(|rule| {
            let own = taken(&mut problems, &rule.get_ref().name);
            sheet(rule.get_ref(), survey.as_ref(), own)
        });
        let rules = rules.collect();
        Rulebook {
            rules,
            problems,
            unasked,
        }
    }

    async fn made(&self, rule: &str, row: RowKey) -> Result<Previewed, Trouble> {
        let settings = self.systems.as_ref().map_err(|why| Trouble::Failed(why.clone()))?;
        let sources: RuleSources = read_rule_sources(&self.path)?;
        let rules = rule_files::compile(&sources, &self.path, &self.locale)?.rules;
        let systems = Systems {
            products: settings.products()?,
            store: Store::open_as_is(&settings.store).await.ok(),
        };
        preview::of_row(Some(rule), &rules, &systems, row).await
    }
}

/// The problems of a rule, which are taken away from the others.
fn taken(problems: &mut Vec<Problem>, rule: &str) -> Vec<Problem> {
    let whose = format!(" (rule {rule})");
    let (own, others) = problems.drain(..).partition(|problem| problem.place.contains(&whose));
    *problems = others;
    own
}

fn sheet(rule: &Rule, survey: Option<&Survey>, problems: Vec<Problem>) -> RuleSheet {
    RuleSheet {
        name: rule.name.clone(),
        table: rule.table.clone(),
        table_id: survey
            .and_then(|survey| survey.table(&rule.table))
            .map(|seen| seen.table.id),
        on: rule.on.clone(),
        does: if rule.page.is_some() {
            Does::Page
        } else if rule.notice.is_some() {
            Does::Notice
        } else {
            Does::Capacity
        },
        space: rule.page.as_ref().map(|page| page.space.clone()),
        problems,
    }
}

impl ReadsRules for RuleFile {
    fn rules(&self) -> BoxFuture<'_, Rulebook> {
        Box::pin(self.compared())
    }

    fn preview<'a>(&'a self, rule: &'a str, row: RowKey) -> BoxFuture<'a, Result<Previewed, String>> {
        Box::pin(async move { self.made(rule, row).await.map_err(|trouble| trouble.to_string()) })
    }

    fn examine(&self) -> BoxFuture<'_, Examined> {
        Box::pin(async move {
            let (rules, findings) = tokio::join!(
                check::live(self.reader.afresh()),
                Box::pin(doctor::examine(&self.reader))
            );
            Examined {
                rules: rules.map_err(|trouble| trouble.to_string()),
                findings,
            }
        })
    }

    fn reconcile<'a>(
        &'a self,
        wanted: &'a Wanted,
        tell: &'a (dyn Fn(Progress) + Send + Sync),
        stop: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<(), String>> {
        let done = reconcile::serve(self.reader.afresh(), wanted, tell, stop);
        Box::pin(async move { done.await.map_err(|trouble| trouble.to_string()) })
    }
}
