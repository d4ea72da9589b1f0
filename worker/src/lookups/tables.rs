//! Which tables there are, and which fields they have. Asked of Baserow when first needed, kept
//! in memory, asked again for what is unknown.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use passerelle_model::config::TableRef;
use passerelle_model::id::TableId;
use passerelle_store::{Named, Store};
use tokio::sync::Mutex;

use super::names::Nameable;
use crate::clients::baserow::{Baserow, Field, Table};
use crate::content::event_body::FieldName;
use crate::content::field::Described;
use crate::context::Context;
use crate::failure::Failure;
use crate::journal::Journal;

/// Fields and names change rarely; a renamed table or a new link is seen after this time at the
/// latest.
const KEPT_FOR: Duration = Duration::from_mins(5);
/// Events of a table that our token cannot see must not ask Baserow each time.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// What is known of the tables.
#[derive(Debug)]
pub struct Tables {
    store: Store,
    zone: TimeZone,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    asked: Option<Instant>,
    tables: Arc<Vec<Arc<Table>>>,
    fields: HashMap<TableId, (Instant, Arc<Fields>)>,
}

/// The fields of a table, under the names of now and under those that rules may still use.
#[derive(Debug)]
pub(crate) struct Fields {
    list: Vec<Field>,
    /// Names that no field has any more, with the names that these fields have now.
    renamed: BTreeMap<String, String>,
    described: Described,
}

impl Fields {
    /// `known` are the names that fields had when they were first seen, with their ids. A name that
    /// a field has now means that field, whatever it meant before.
    fn of(list: Vec<Field>, known: &[(String, String)], zone: &TimeZone) -> Self {
        let is_gone = |name: &str| list.iter().all(|field| field.name != name);
        let renamed = known.iter().filter(|(name, _)| is_gone(name)).filter_map(|(name, id)| {
            let field = list.iter().find(|field| field.id_text().as_ref() == Some(id))?;
            Some((name.clone(), field.name.clone()))
        });
        let renamed = renamed.collect();
        let described = list
            .iter()
            .map(|field| (field.name.as_str(), field.kind.as_str(), &field.format));
        Self {
            described: Described::new(described, zone),
            list,
            renamed,
        }
    }

    /// How the cells of a row are read.
    pub(crate) fn described(&self) -> &Described {
        &self.described
    }

    /// The name that a field has now.
    pub(crate) fn present<'a>(&'a self, name: &'a str) -> &'a str {
        self.renamed.get(name).map_or(name, String::as_str)
    }

    /// A field by the name that a rule uses.
    pub(crate) fn get(&self, name: &str) -> Option<&Field> {
        let name = self.present(name);
        self.list.iter().find(|field| field.name == name)
    }

    /// A field by the name that a rule uses, as events name it.
    pub(crate) fn named<'a>(&'a self, name: &'a str) -> FieldName<'a> {
        FieldName {
            name,
            present: self.present(name),
            number: self.get(name).and_then(|field| field.id),
        }
    }

    /// All of them, under the names of now.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Field> {
        self.list.iter()
    }

    /// Names that no field has any more, with the names of now.
    pub(crate) fn renamed(&self) -> &BTreeMap<String, String> {
        &self.renamed
    }

    /// Whether a row has exactly these fields.
    pub(crate) fn are_those_of<'r>(&self, mut names: impl Iterator<Item = &'r str>) -> bool {
        names.all(|name| self.list.iter().any(|field| field.name == name))
    }
}

impl Field {
    fn id_text(&self) -> Option<String> {
        self.id.map(|id| id.to_string())
    }
}

impl Tables {
    /// Nothing is known yet; `store` has the names that fields had before.
    /// `zone` is where moments are told whose field forces no time zone.
    pub(crate) fn new(store: Store, zone: TimeZone) -> Self {
        Self {
            store,
            zone,
            known: Mutex::default(),
        }
    }

    /// The table with this number; `None` if our token sees no such table.
    pub async fn get(
        &self,
        baserow: &Baserow,
        journal: &mut Journal,
        id: TableId,
    ) -> Result<Option<Arc<Table>>, Failure> {
        let tables = self.all(baserow, journal, |table| table.id == id).await?;
        Ok(tables.iter().find(|table| table.id == id).cloned())
    }

    /// All tables that our token sees, asked for again if none is the wanted one.
    async fn all(
        &self,
        baserow: &Baserow,
        journal: &mut Journal,
        is_wanted: impl Fn(&Table) -> bool,
    ) -> Result<Arc<Vec<Arc<Table>>>, Failure> {
        let mut known = self.known.lock().await;
        let is_known = known.tables.iter().any(|table| is_wanted(table));
        known.refresh(baserow, journal, is_known).await?;
        Ok(Arc::clone(&known.tables))
    }

    /// The name of a table, as far as it is known without asking.
    pub(crate) async fn name_of(&self, id: TableId) -> Option<String> {
        let known = self.known.lock().await;
        let table = known.tables.iter().find(|table| table.id == id);
        table.map(|table| table.name.clone())
    }

    /// The table that a link field leads to; `None` if the field is no link.
    pub async fn linked_table(
        &self,
        baserow: &Baserow,
        journal: &mut Journal,
        table: TableId,
        field: &str,
    ) -> Result<Option<TableId>, Failure> {
        let fields = self.fields(baserow, journal, table).await?;
        Ok(fields.get(field).and_then(|field| field.link_row_table_id))
    }

    /// The fields of a table.
    pub(crate) async fn fields(
        &self,
        baserow: &Baserow,
        journal: &mut Journal,
        table: TableId,
    ) -> Result<Arc<Fields>, Failure> {
        self.fields_asked_within(KEPT_FOR, baserow, journal, table).await
    }

    /// The same, asked for again if what is known is older.
    pub(crate) async fn fields_asked_within(
        &self,
        age: Duration,
        baserow: &Baserow,
        journal: &mut Journal,
        table: TableId,
    ) -> Result<Arc<Fields>, Failure> {
        let mut known = self.known.lock().await;
        let fresh = known.fields.get(&table).filter(|(asked, _)| asked.elapsed() < age);
        if let Some((_, fields)) = fresh {
            return Ok(Arc::clone(fields));
        }
        let list = baserow.fields(journal, table).await?;
        let fields = Arc::new(self.with_former_names(table, list).await?);
        known.fields.insert(table, (Instant::now(), Arc::clone(&fields)));
        Ok(fields)
    }

    async fn with_former_names(&self, table: TableId, list: Vec<Field>) -> Result<Fields, Failure> {
        let named = Named::Field(table);
        let known = self.store.meanings(named).await?;
        let met = list
            .iter()
            .filter_map(|field| Some((field.name.clone(), field.id_text()?)));
        let new: Vec<_> = met.filter(|pair| !known.contains(pair)).collect();
        if !new.is_empty() {
            self.store.remember_names(named, &new).await?;
        }
        Ok(Fields::of(list, &known, &self.zone))
    }
}

impl Known {
    /// Asks for all tables again, if what is known is too old for the question.
    async fn refresh(&mut self, baserow: &Baserow, journal: &mut Journal, is_known: bool) -> Result<(), Failure> {
        let limit = if is_known { KEPT_FOR } else { ASK_AGAIN_AFTER };
        if self.asked.is_some_and(|asked| asked.elapsed() <= limit) {
            return Ok(());
        }
        match baserow.tables(journal).await {
            Ok(listed) => {
                self.tables = Arc::new(listed.into_iter().map(Arc::new).collect());
                self.asked = Some(Instant::now());
                Ok(())
            }
            // What was known a moment ago is good enough while Baserow is away.
            Err(_) if is_known => Ok(()),
            Err(failure) => Err(failure),
        }
    }
}

impl Context {
    /// The table that a rule means; `None` if our token sees no such table.
    pub(crate) async fn table(
        &self,
        journal: &mut Journal,
        reference: &TableRef,
    ) -> Result<Option<Arc<Table>>, Failure> {
        let name = match reference {
            TableRef::Id(id) => {
                let Ok(id) = TableId::new(*id) else { return Ok(None) };
                return self.tables.get(&self.baserow, journal, id).await;
            }
            TableRef::Name(name) => name,
        };
        let remembered = self.names.remembered(Named::Table, name).await?;
        let is_wanted = |table: &Table| match &remembered {
            Some(id) => table.id.to_string() == *id,
            None => table.name == *name,
        };
        let tables = self.tables.all(&self.baserow, journal, is_wanted).await?;
        Ok(self.find_named(Named::Table, name, &tables).await?.cloned())
    }

    /// The table that a rule means as far as is remembered, also if our token does not see it now.
    pub(crate) async fn meant(&self, reference: &TableRef) -> Result<Option<TableId>, Failure> {
        Ok(match reference {
            TableRef::Id(id) => TableId::new(*id).ok(),
            TableRef::Name(name) => {
                let remembered = self.names.remembered(Named::Table, name).await?;
                remembered.and_then(|id| id.parse().ok())
            }
        })
    }

    /// Whether a rule means this table. A name that fits two tables is refused for the rows of
    /// these two alone.
    pub(crate) async fn is_table(
        &self,
        journal: &mut Journal,
        reference: &TableRef,
        table: &Table,
    ) -> Result<bool, Failure> {
        let may_mean = match reference {
            TableRef::Id(id) => return Ok(table.id.get() == *id),
            TableRef::Name(name) if table.name == *name => true,
            TableRef::Name(name) => self.names.remembered(Named::Table, name).await? == Some(table.id.to_string()),
        };
        Ok(may_mean
            && self
                .table(journal, reference)
                .await?
                .is_some_and(|meant| meant.id == table.id))
    }
}

impl Nameable for Arc<Table> {
    fn id_text(&self) -> String {
        self.id.to_string()
    }

    fn present_name(&self) -> &str {
        &self.name
    }

    fn is_called(&self, name: &str) -> bool {
        self.name == name
    }

    fn described(&self) -> String {
        format!("t{} of the database {}", self.id, self.database_id)
    }

    fn unambiguous(&self, _name: &str) -> String {
        format!("table = {}", self.id)
    }
}

/// Whether a rule's table may be this one, by its number or its name.
pub fn is_table(reference: &TableRef, table: &Table) -> bool {
    match reference {
        TableRef::Id(id) => table.id.get() == *id,
        TableRef::Name(name) => table.name == *name,
    }
}
