//! Baserow and Docmost: do they accept our accounts, and do they have what the rules need?

use passerelle_model::config::{
    BaserowSettings, BaserowUserSettings, BridgeFileSettings, DocmostSettings, Problem, Reader, RedisSettings,
    WebhookSecrets,
};
use passerelle_model::id::ProcessName;
use passerelle_model::ledger::FailureClass;
use passerelle_queue::Redis;
use passerelle_queue::gate::{GatePolicy, Gates};
use passerelle_worker::clients::baserow::Baserow;
use passerelle_worker::clients::baserow::user::{BaserowUser, Webhook};
use passerelle_worker::clients::docmost::Docmost;
use passerelle_worker::failure::Failure;
use passerelle_worker::journal::Journal;
use passerelle_worker::rule_files::read_rule_sources;
use passerelle_worker::rules::{RuleSources, Rules};

use super::Finding;
use super::cure::{BASEROW, BASEROW_USER, Called, DOCMOST};
use crate::survey::{Survey, baserow_client, space_problems};

pub(super) async fn look(reader: &Reader) -> Vec<Finding> {
    let mut own = reader.afresh();
    let redis = Redis::open(&RedisSettings::read(&mut own));
    let Ok(redis) = redis else {
        return vec![Finding::skipped("baserow"), Finding::skipped("docmost")];
    };
    // Without readable rules the accounts can still be examined.
    let sources = read_rule_sources(&BridgeFileSettings::read(reader).path).ok();
    let rules = sources.and_then(|sources| Rules::compile(&sources).ok().map(|rules| (sources, rules)));
    let (mut baserow, docmost) = tokio::join!(
        baserow(reader, &redis, rules.as_ref()),
        docmost(reader, &redis, rules.as_ref())
    );
    baserow.extend(docmost);
    baserow
}

async fn baserow(reader: &Reader, redis: &Redis, rules: Option<&(RuleSources, Rules)>) -> Vec<Finding> {
    const CHECK: &str = "baserow";
    let mut own = reader.afresh();
    let settings = BaserowSettings::read(&mut own);
    let user = BaserowUserSettings::read(&mut own);
    if own.finish(()).is_err() {
        return vec![Finding::skipped(CHECK)];
    }
    let fix = "correct BASEROW_URL or BASEROW_TOKEN (Baserow: Settings → Database tokens)";
    let client = match baserow_client(redis, &settings) {
        Ok(client) => client,
        Err(trouble) => return vec![Finding::fail(CHECK, trouble.to_string(), fix)],
    };
    let tables = match client.tables(&mut Journal::default()).await {
        Ok(tables) => tables.len(),
        Err(failure) => return vec![broken(CHECK, BASEROW, failure)],
    };
    let mut findings = vec![Finding::ok(
        CHECK,
        format!("the token is valid and sees {tables} tables"),
    )];
    let Some((sources, rules)) = rules else {
        findings.push(Finding::skipped("baserow fields"));
        return findings;
    };
    match Survey::look(&client, rules).await {
        Ok(survey) => {
            findings.extend(judged(
                "baserow fields",
                survey.problems(sources, rules),
                "every table and field that the rules name exists",
            ));
            let icons = survey.icon_problems(sources, rules).into_iter();
            findings.extend(icons.map(|Problem { place, what, hint }| {
                Finding::warn("baserow options", format!("{place}: {what}"), hint)
            }));
            findings.extend(rights(&client, &survey, sources, rules).await);
            let secrets = WebhookSecrets::read(reader, sources.file.sources.values());
            findings.extend(webhooks(&settings, user.as_ref(), &survey, rules, &secrets).await);
        }
        Err(failure) => findings.push(broken("baserow fields", BASEROW, failure)),
    }
    findings
}

/// A token that exists may have lost a right.
async fn rights(client: &Baserow, survey: &Survey, sources: &RuleSources, rules: &Rules) -> Vec<Finding> {
    const CHECK: &str = "baserow rights";
    match survey.missing_rights(client, sources, rules).await {
        Ok(problems) => judged(CHECK, problems, "the token may do what the rules do"),
        Err(failure) => vec![broken(CHECK, BASEROW, failure)],
    }
}

/// A webhook that Baserow has switched off is silent: only a user of Baserow can see it.
async fn webhooks(
    server: &BaserowSettings,
    user: Option<&BaserowUserSettings>,
    survey: &Survey,
    rules: &Rules,
    secrets: &WebhookSecrets,
) -> Vec<Finding> {
    const CHECK: &str = "baserow webhooks";
    let Some(user) = user else {
        return vec![Finding::ok(
            CHECK,
            "not examined: set BASEROW_EMAIL and BASEROW_PASSWORD to have them watched",
        )];
    };
    let user = match BaserowUser::log_in(server, user).await {
        Ok(user) => user,
        Err(failure) => {
            let cure = BASEROW_USER.cure(&failure);
            return vec![Finding::warn(CHECK, failure.message, cure)];
        }
    };
    let mut findings = Vec::new();
    let tables = survey.heard(rules);
    for (table, _) in &tables {
        let name = &table.name;
        match user.webhooks(table.id).await {
            Ok(hooks) => findings.extend(webhook(name, &hooks, secrets)),
            Err(failure) => {
                let fix = match failure.class {
                    FailureClass::Auth | FailureClass::Permanent => {
                        "give the user of BASEROW_EMAIL the role builder or admin in the workspace".to_owned()
                    }
                    _ => BASEROW_USER.cure(&failure),
                };
                findings.push(Finding::warn(CHECK, format!("{name}: {}", failure.message), fix));
            }
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(
            CHECK,
            format!("{} tables call the bridge, none fails", tables.len()),
        ));
    }
    findings
}

/// What is wrong with the webhooks of one table.
fn webhook(table: &str, hooks: &[Webhook], secrets: &WebhookSecrets) -> Option<Finding> {
    const CHECK: &str = "baserow webhooks";
    let ours: Vec<&Webhook> = hooks.iter().filter(|hook| hook.may_be_ours(secrets)).collect();
    let again = "passerelle provision --url <address of the ingress>";
    if ours.is_empty() {
        let found = format!("no webhook of the table {table} calls the bridge");
        return Some(Finding::warn(CHECK, found, format!("create one: {again}")));
    }
    if let Some(hook) = ours.iter().find(|hook| !hook.active) {
        let found = format!(
            "webhook {} of the table {table} is switched off; Baserow does not repeat what it missed",
            hook.id
        );
        let fix = format!(
            "fix why it failed; the workers switch it back on (WORKER_SOURCES_SECONDS), or: {again} and passerelle \
             reconcile (docs/RUNBOOK.md)"
        );
        return Some(Finding::fail(CHECK, found, fix));
    }
    let failing = ours.iter().find(|hook| hook.failed_triggers > 0)?;
    let (id, failed) = (failing.id, failing.failed_triggers);
    let found =
        format!("webhook {id} of the table {table} failed {failed} times in a row; after nine Baserow switches it off");
    let fix = "read its call log in Baserow: a rejected proof (401), or an address that does not lead to the ingress";
    Some(Finding::warn(CHECK, found, fix))
}

async fn docmost(reader: &Reader, redis: &Redis, rules: Option<&(RuleSources, Rules)>) -> Vec<Finding> {
    const CHECK: &str = "docmost";
    let mut own = reader.afresh();
    let settings = DocmostSettings::read(&mut own);
    if own.finish(()).is_err() {
        return vec![Finding::skipped(CHECK)];
    }
    let fix = "correct DOCMOST_URL, DOCMOST_EMAIL or DOCMOST_PASSWORD";
    let gates = Gates::new(redis.clone(), ProcessName::unique("doctor"), GatePolicy::default());
    let client = match Docmost::new(&settings, redis.clone(), gates) {
        Ok(client) => client,
        Err(error) => return vec![Finding::fail(CHECK, error.to_string(), fix)],
    };
    let mut findings = Vec::new();
    let account = match client.account().await {
        Ok(account) => account,
        Err(failure) => return vec![broken(CHECK, DOCMOST, failure)],
    };
    let (email, role, spaces) = (&account.email, &account.role, account.spaces.len());
    let found = format!("signed in as {email}, {role} of the workspace, in {spaces} spaces");
    findings.push(if role == "member" {
        Finding::ok(CHECK, found)
    } else {
        Finding::warn(
            CHECK,
            found,
            "make it a member: the bridge needs no more, and a stolen password is then worth less",
        )
    });
    if let Some((sources, rules)) = rules {
        let problems = space_problems(&account, sources, rules);
        findings.extend(judged(
            "docmost spaces",
            problems,
            "the account may write in every space that the rules name",
        ));
        if rules.keep_sections() {
            findings.push(sections(&client, account.synced_blocks).await);
        }
    }
    findings
}

/// Whether sections of pages can follow their rows.
async fn sections(client: &Docmost, has_synced_blocks: bool) -> Finding {
    const CHECK: &str = "docmost sections";
    match client.knock().await {
        Err(failure) => Finding::fail(
            CHECK,
            failure.message,
            "pass WebSocket upgrades at /collab through every proxy, or set DOCMOST_COLLAB_URL where Docmost has a COLLAB_URL",
        ),
        Ok(()) if has_synced_blocks => Finding::ok(CHECK, "the documents of pages can be opened"),
        Ok(()) => Finding::warn(
            CHECK,
            "this Docmost has no synced blocks: a section is a callout, and is lost when people delete its first line",
            "upgrade Docmost to 0.95 or later",
        ),
    }
}

/// A call failed: what it says, and what mends it.
fn broken(check: &'static str, called: Called, failure: Failure) -> Finding {
    let cure = called.cure(&failure);
    Finding::fail(check, failure.message, cure)
}

fn judged(check: &'static str, problems: Vec<Problem>, all_well: &str) -> Vec<Finding> {
    if problems.is_empty() {
        return vec![Finding::ok(check, all_well)];
    }
    let finding = |Problem { place, what, hint }| Finding::fail(check, format!("{place}: {what}"), hint);
    problems.into_iter().map(finding).collect()
}
