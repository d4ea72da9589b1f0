//! What people do in a scenario.

use std::fmt;

use anyhow::Context as _;
use passerelle_model::id::RowKey;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::stage::Stage;

/// One thing that somebody does.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// A row is created.
    Create {
        table: String,
        /// Its name from now on.
        row: String,
        fields: Map<String, Value>,
    },
    /// A row comes by a file import, of which no webhook tells.
    Import {
        table: String,
        /// Its name from now on.
        row: String,
        fields: Map<String, Value>,
    },
    /// Fields of a row are changed.
    Change {
        row: String,
        /// The new values; `"@nothing"` empties a field.
        fields: Map<String, Value>,
    },
    /// A row is deleted.
    Delete { row: String },
    /// A deleted row is taken out of Baserow's trash.
    Restore { row: String },
    /// Somebody writes a page of their own, of which the bridge knows nothing.
    WritePage {
        /// Its name from now on.
        page: String,
        title: String,
        /// The labels that it gets.
        #[serde(default)]
        labels: Vec<String>,
    },
    /// Somebody gives a page another title.
    RenamePage { page: String, title: String },
    /// Somebody lets everybody with the link read a page.
    SharePage { page: String },
    /// Somebody writes at the end of a page.
    Write { page: String, text: String },
    /// Somebody puts a page into the wiki's trash.
    TrashPage { page: String },
    /// Somebody copies a page.
    CopyPage { page: String },
    /// An operator lets every row be compared with its page.
    Reconcile,
    /// An operator asks for a sync.
    Sync { row: String },
}

impl Act {
    pub(super) async fn perform(&self, stage: &mut Stage) -> anyhow::Result<()> {
        match self {
            Self::Create { table, row, fields } => {
                let fields = filled(stage, fields)?;
                let key = stage.system.baserow.create(table, fields).await?;
                stage.rows.insert(row.clone(), key);
            }
            Self::Import { table, row, fields } => {
                let fields = filled(stage, fields)?;
                let key = stage.system.baserow.import(table, fields).await?;
                stage.rows.insert(row.clone(), key);
            }
            Self::Change { row, fields } => {
                let fields = filled(stage, fields)?;
                stage.system.baserow.update(stage.row(row)?, fields).await?;
            }
            Self::Delete { row } => stage.system.baserow.delete(stage.row(row)?).await?,
            Self::Restore { row } => stage.system.baserow.restore(stage.row(row)?).await?,
            Self::WritePage { page, title, labels } => {
                let id = write_page(stage, title, labels).await?;
                stage.identities.insert(page.clone(), id);
            }
            Self::RenamePage { page, title } => {
                let body = json!({"pageId": stage.page(page)?, "title": title});
                stage.person.call("pages/update", body).await?;
            }
            Self::SharePage { page } => {
                let body = json!({"pageId": stage.page(page)?, "includeSubPages": false});
                stage.person.call("shares/create", body).await?;
            }
            Self::Write { page, text } => {
                let body =
                    json!({"pageId": stage.page(page)?, "content": text, "operation": "append", "format": "markdown"});
                stage.person.call("pages/update", body).await?;
            }
            Self::TrashPage { page } => {
                let body = json!({"pageId": stage.page(page)?});
                stage.person.call("pages/delete", body).await?;
            }
            Self::CopyPage { page } => {
                let body = json!({"pageId": stage.page(page)?});
                stage.person.call("pages/duplicate", body).await?;
            }
            Self::Reconcile => {
                stage.system.operator(&["reconcile", "--by", "lea"]).await?;
            }
            Self::Sync { row } => {
                let RowKey { table, row } = stage.row(row)?;
                let row = format!("t{table}/r{row}");
                stage.system.operator(&["sync", &row, "--by", "lea"]).await?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { table, row, .. } => write!(f, "{row} is created in {table}"),
            Self::Import { table, row, .. } => write!(f, "{row} comes into {table} by a file import"),
            Self::Change { row, fields } => {
                let fields: Vec<&str> = fields.keys().map(String::as_str).collect();
                write!(f, "{} of {row} is changed", fields.join(", "))
            }
            Self::Delete { row } => write!(f, "{row} is deleted"),
            Self::Restore { row } => write!(f, "{row} is restored"),
            Self::WritePage { page, title, labels } => {
                write!(f, "somebody writes the page {page}, {title:?}")?;
                if labels.is_empty() {
                    return Ok(());
                }
                write!(f, ", labelled {}", labels.join(", "))
            }
            Self::RenamePage { page, title } => write!(f, "somebody renames the page of {page} to {title:?}"),
            Self::SharePage { page } => write!(f, "somebody shares the page of {page}"),
            Self::Write { page, text } => write!(f, "somebody writes {text:?} in the page of {page}"),
            Self::TrashPage { page } => write!(f, "somebody puts the page of {page} into the trash"),
            Self::CopyPage { page } => write!(f, "somebody copies the page of {page}"),
            Self::Reconcile => f.write_str("an operator has all rows compared with their pages"),
            Self::Sync { row } => write!(f, "an operator asks for a sync of {row}"),
        }
    }
}

/// A page in the space of the sandbox's own agency; its id.
async fn write_page(stage: &Stage, title: &str, labels: &[String]) -> anyhow::Result<String> {
    let person = &stage.person;
    let space = person.call("spaces/info", json!({"spaceId": "agence"})).await?;
    let page = json!({"spaceId": space["id"], "title": title, "format": "markdown", "content": "Présents : tous"});
    let page = person.call("pages/create", page).await?;
    if !labels.is_empty() {
        let labels = json!({"pageId": page["id"], "names": labels});
        person.call("pages/labels/add", labels).await?;
    }
    let id = page["id"].as_str().context("the new page has no id")?;
    Ok(id.to_owned())
}

/// The fields with every `@name` replaced by what it stands for.
fn filled(stage: &Stage, fields: &Map<String, Value>) -> anyhow::Result<Value> {
    let filled = fields.iter().map(|(name, value)| {
        let value = value_of(stage, value).with_context(|| format!("the field {name}"))?;
        Ok((name.clone(), value))
    });
    filled.collect::<anyhow::Result<Map<_, _>>>().map(Value::Object)
}

fn value_of(stage: &Stage, value: &Value) -> anyhow::Result<Value> {
    match value {
        Value::String(text) if text == "@nothing" => Ok(Value::Null),
        Value::String(text) => match text.strip_prefix('@') {
            Some(name) => Ok(json!(stage.row(name)?.row.get())),
            None => Ok(value.clone()),
        },
        Value::Array(items) => items.iter().map(|item| value_of(stage, item)).collect(),
        other => Ok(other.clone()),
    }
}
