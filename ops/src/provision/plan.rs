//! What Baserow lacks for the rules to work, and what would make it good: pure. Nothing is ever
//! taken away but webhooks of an earlier address.

use std::collections::{BTreeMap, BTreeSet};

use passerelle_model::config::{BridgeFile, Owner, ProofKind, Reader, SourceConfig, WebhookSecrets};
use passerelle_worker::clients::baserow::Table;
use passerelle_worker::clients::baserow::user::{BRIDGE_PATH, Webhook, WebhookCall};
use secrecy::ExposeSecret as _;

use crate::survey::Missing;
use crate::trouble::Trouble;

/// A webhook that must exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) table: Table,
    pub(super) call: WebhookCall,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    /// A field that rules write is made.
    CreateField(Missing),
    /// A webhook is made.
    CreateWebhook(Wanted),
    /// A webhook that calls the bridge is put right.
    UpdateWebhook {
        id: u64,
        table: String,
        call: WebhookCall,
        because: Vec<&'static str>,
    },
    /// A webhook that calls the bridge at an earlier address is taken away.
    RemoveWebhook { id: u64, table: String, url: String },
}

/// The webhook of a table: its address below `base`, and the proof that its source asks for.
pub(super) fn wanted(
    table: Table,
    events: BTreeSet<&'static str>,
    file: &BridgeFile,
    reader: &Reader,
    base: &str,
) -> Result<Wanted, Trouble> {
    let (source, config) = source_of(&table, file)?;
    let call = WebhookCall {
        name: format!("Passerelle: {}", table.name),
        url: format!("{}{BRIDGE_PATH}{source}", base.trim_end_matches('/')),
        headers: proof(config, reader)?,
        include_all_events: false,
        events: events.into_iter().map(str::to_owned).collect(),
        use_user_field_names: true,
    };
    Ok(Wanted { table, call })
}

/// The source that a table's webhook calls, and what it asks for.
fn source_of<'a>(table: &Table, file: &'a BridgeFile) -> Result<(String, &'a SourceConfig), Trouble> {
    let source = source_name(table);
    let config = file.sources.get(&source).or_else(|| file.sources.get("*"));
    let config = config.ok_or_else(|| {
        let name = &table.name;
        let advice = "name it in [sources] of bridge.toml, or add \"*\"";
        Trouble::Usage(format!("the table {name} needs the source {source:?}: {advice}"))
    })?;
    Ok((source, config))
}

/// `projet-changed`; the table's number where its name cannot stand in an address.
fn source_name(table: &Table) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name = table.name.to_lowercase();
    if name.len() <= 48 && !name.is_empty() && name.chars().all(is_plain) {
        return format!("{name}-changed");
    }
    format!("table-{}-changed", table.id)
}

/// Stock Baserow can send a fixed header. It cannot sign: where only that is a proof, the address
/// must be that of a proxy which does.
fn proof(config: &SourceConfig, reader: &Reader) -> Result<BTreeMap<String, String>, Trouble> {
    if !config.proof.kinds().contains(&ProofKind::Token) {
        return Ok(BTreeMap::new());
    }
    // During a rotation the new secret stands first.
    let secret = reader.secrets(&config.secrets).into_iter().next().ok_or_else(|| {
        Trouble::Usage(format!(
            "{} is not set: the webhooks need it as their proof",
            config.secrets
        ))
    })?;
    let header = config.header_of(ProofKind::Token).to_owned();
    Ok(BTreeMap::from([(header, secret.expose_secret().to_owned())]))
}

/// What is to be done about a wanted webhook; nothing where it exists and is right.
pub(super) fn webhook(wanted: &Wanted, existing: &[Webhook]) -> Option<Deed> {
    let Some(found) = existing.iter().find(|hook| hook.call.url == wanted.call.url) else {
        return Some(Deed::CreateWebhook(wanted.clone()));
    };
    let (has, wants) = (&found.call, &wanted.call);
    let mut call = has.clone();
    let mut because = Vec::new();
    if !found.active {
        because.push("it is switched off");
    }
    if !has.include_all_events && wants.events.iter().any(|event| !has.events.contains(event)) {
        because.push("it does not send all events that the rules need");
        call.events.extend(wants.events.iter().cloned());
        call.events.sort();
        call.events.dedup();
    }
    if wants
        .headers
        .iter()
        .any(|(name, secret)| has.headers.get(name) != Some(secret))
    {
        because.push("it lacks the first live secret");
        call.headers.extend(wants.headers.clone());
    }
    if !has.use_user_field_names {
        because.push("it names fields by number");
        call.use_user_field_names = true;
    }
    let table = wanted.table.name.clone();
    let id = found.id;
    (!because.is_empty()).then_some(Deed::UpdateWebhook {
        id,
        table,
        call,
        because,
    })
}

/// Webhooks of the table that call a bridge, and not at the wanted address.
pub(super) fn earlier<'a>(wanted: &Wanted, existing: &'a [Webhook]) -> impl Iterator<Item = &'a Webhook> {
    let url = wanted.call.url.clone();
    let bridges = existing.iter().filter(|hook| hook.calls_the_bridge());
    bridges.filter(move |hook| hook.call.url != url)
}

/// Whether a webhook is known to be of this bridge, and not of another on the same Baserow: it
/// calls this bridge's address, or carries a secret that is live here.
pub(super) fn is_known(hook: &Webhook, secrets: &WebhookSecrets, base: &str) -> bool {
    let own = format!("{}{BRIDGE_PATH}", base.trim_end_matches('/'));
    hook.call.url.starts_with(&own) || hook.owner(secrets) == Owner::ThisBridge
}

#[cfg(test)]
mod tests {
    use passerelle_model::id::TableId;
    use passerelle_worker::rules::{CREATED, DELETED, UPDATED};

    use super::*;

    fn table(name: &str) -> Table {
        Table {
            id: TableId::new(7).unwrap(),
            name: name.to_owned(),
            database_id: 1,
        }
    }

    fn wanted_of(events: &[&'static str]) -> Wanted {
        let text = "[sources]\n\"*\" = { proof = \"token\", secrets = \"S\" }\n";
        let file = BridgeFile::parse(text, "bridge.toml").unwrap();
        let reader = Reader::from_pairs([("S", "new-secret,old-secret")]);
        let table = table("projet");
        wanted(
            table,
            events.iter().copied().collect(),
            &file,
            &reader,
            "https://bridge.example.org/",
        )
        .unwrap()
    }

    fn existing(call: WebhookCall) -> Webhook {
        Webhook {
            id: 3,
            call,
            active: true,
            failed_triggers: 0,
            updated_on: String::new(),
        }
    }

    #[test]
    fn a_webhook_calls_its_source_with_the_first_live_secret() {
        let call = wanted_of(&[UPDATED]).call;
        assert_eq!(
            call.url,
            "https://bridge.example.org/api/webhooks/baserow/projet-changed"
        );
        assert_eq!(call.headers.get("X-Bridge-Token").unwrap(), "new-secret");
        assert_eq!(source_name(&table("Comptes rendus")), "table-7-changed");
    }

    #[test]
    fn what_is_right_is_left_alone_and_what_is_more_than_needed_too() {
        let wanted = wanted_of(&[UPDATED]);
        assert_eq!(webhook(&wanted, &[existing(wanted.call.clone())]), None);
        let mut more = wanted.call.clone();
        more.include_all_events = true;
        more.headers.insert("X-Other".to_owned(), "y".to_owned());
        assert_eq!(webhook(&wanted, &[existing(more)]), None);
    }

    #[test]
    fn what_is_wrong_is_put_right_and_nothing_is_taken_away() {
        let wanted = wanted_of(&[CREATED, UPDATED]);
        let mut old = wanted.call.clone();
        old.events = vec![DELETED.to_owned(), UPDATED.to_owned()];
        old.headers = BTreeMap::from([
            ("X-Bridge-Token".to_owned(), "old-secret".to_owned()),
            ("X-Other".to_owned(), "y".to_owned()),
        ]);
        let mut hook = existing(old);
        hook.active = false;
        let Some(Deed::UpdateWebhook { id, call, because, .. }) = webhook(&wanted, &[hook]) else {
            panic!("it should be put right");
        };
        assert_eq!((id, because.len()), (3, 3));
        assert_eq!(call.events, [CREATED, DELETED, UPDATED]);
        assert_eq!(call.headers["X-Bridge-Token"], "new-secret");
        assert_eq!(call.headers["X-Other"], "y");
    }
}
