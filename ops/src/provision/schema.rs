//! The tables that an organisation works with, as a file, and what of them Baserow lacks: pure.
//! Nothing that is there is changed.

use std::path::Path;

use passerelle_worker::clients::baserow::{Field, Table};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::survey::SeenTable;
use crate::trouble::Trouble;

/// The file: `examples/agence/schema.toml` is one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Schema {
    tables: Vec<TableSpec>,
}

/// A table to be there.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct TableSpec {
    name: String,
    /// The name of its first field, a text.
    primary: String,
    #[serde(default)]
    fields: Vec<FieldSpec>,
}

/// A field to be there, as Baserow's API takes it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct FieldSpec {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    /// Of a link: the name of the other table.
    #[serde(default)]
    pub(super) link_row_table: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// One thing to make.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Making {
    /// A table without rows, whose first field is a text.
    Table { name: String, primary: String },
    /// A field of the table of this name.
    Field { table: String, field: FieldSpec },
}

impl Schema {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self, Trouble> {
        let unfit = |what: String| Trouble::Usage(format!("{}: {what}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| unfit(error.to_string()))?;
        Self::parse(&text).map_err(unfit)
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let schema: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for table in &schema.tables {
            for field in &table.fields {
                let (place, kind) = (format!("{}.{}", table.name, field.name), field.kind.as_str());
                match &field.link_row_table {
                    Some(other) if !schema.tables.iter().any(|table| table.name == *other) => {
                        return Err(format!(
                            "{place} links to the table {other:?}, which the file does not have"
                        ));
                    }
                    None if kind == "link_row" => {
                        return Err(format!("{place} is a link: name its table in link_row_table"));
                    }
                    _ => {}
                }
            }
        }
        Ok(schema)
    }

    /// The names of its tables.
    pub(super) fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().map(|table| table.name.as_str())
    }

    /// What is to be made beside what is there, in an order that works: tables, their fields, and
    /// what computes with fields last. And what is there in another way, in words.
    pub(super) fn missing(&self, there: &[SeenTable]) -> (Vec<Making>, Vec<String>) {
        let (mut tables, mut fields, mut formulas) = (Vec::new(), Vec::new(), Vec::new());
        let mut notes = Vec::new();
        for spec in &self.tables {
            let found = there.iter().find(|seen| seen.table.name == spec.name);
            match found {
                None => tables.push(Making::Table {
                    name: spec.name.clone(),
                    primary: spec.primary.clone(),
                }),
                Some(seen) => notes.extend(spec.differences(seen)),
            }
            for field in &spec.fields {
                if found.is_some_and(|seen| seen.fields.iter().any(|known| known.name == field.name)) {
                    continue;
                }
                let list = if field.is_computed() {
                    &mut formulas
                } else {
                    &mut fields
                };
                list.push(Making::Field {
                    table: spec.name.clone(),
                    field: field.clone(),
                });
            }
        }
        tables.extend(fields);
        tables.extend(formulas);
        (tables, notes)
    }
}

impl TableSpec {
    /// What of a table that is there is otherwise than the file says.
    fn differences(&self, seen: &SeenTable) -> Vec<String> {
        let mut notes = Vec::new();
        if !seen.fields.iter().any(|known| known.name == self.primary) {
            let advice = "rename its first field, or change the rules";
            notes.push(format!("{}: it has no field {:?}: {advice}.", self.name, self.primary));
        }
        for field in &self.fields {
            let known = seen.fields.iter().find(|known| known.name == field.name);
            if let Some(known) = known.filter(|known| known.kind != field.kind) {
                let (name, is, wanted) = (&field.name, &known.kind, &field.kind);
                notes.push(format!(
                    "{}: the field {name:?} is {is}, and the file says {wanted}; it is left as it is.",
                    self.name
                ));
            }
        }
        notes
    }
}

impl FieldSpec {
    fn is_computed(&self) -> bool {
        matches!(self.kind.as_str(), "formula" | "lookup" | "count" | "rollup")
    }

    /// The field as the API takes it; a link names the other table by its number.
    pub(super) fn body(&self, linked: Option<&Table>) -> Value {
        let mut body = self.rest.clone();
        body.insert("name".to_owned(), json!(self.name));
        body.insert("type".to_owned(), json!(self.kind));
        if let Some(linked) = linked {
            body.insert("link_row_table_id".to_owned(), json!(linked.id));
            body.insert("has_related_field".to_owned(), json!(true));
        }
        Value::Object(body)
    }

    /// The field as it will be seen.
    pub(super) fn planned(&self, linked: Option<&Table>) -> Option<Field> {
        serde_json::from_value(self.body(linked)).ok()
    }

    /// `create the field "Statut" (single_select: Brouillon, En cours)`.
    pub(super) fn in_words(&self) -> String {
        let options = self.rest.get("select_options").and_then(Value::as_array);
        let options = options
            .into_iter()
            .flatten()
            .filter_map(|option| option["value"].as_str());
        let options: Vec<&str> = options.collect();
        let formula = self.rest.get("formula").and_then(Value::as_str);
        let kind = match (&self.link_row_table, formula) {
            (Some(other), _) => format!("{} to {other}", self.kind),
            (None, Some(formula)) => format!("{}: {formula}", self.kind),
            (None, None) if options.is_empty() => self.kind.clone(),
            (None, None) => format!("{}: {}", self.kind, options.join(", ")),
        };
        format!("create the field {:?} ({kind})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use passerelle_model::id::TableId;

    use super::*;

    fn seen(name: &str, fields: &[(&str, &str)]) -> SeenTable {
        let field = |(name, kind): &(&str, &str)| serde_json::from_value(json!({"name": name, "type": kind})).unwrap();
        SeenTable {
            table: Table {
                id: TableId::new(1).unwrap(),
                name: name.to_owned(),
                database_id: 1,
            },
            fields: fields.iter().map(field).collect(),
        }
    }

    fn agency() -> Schema {
        Schema::parse(include_str!("../../../examples/agence/schema.toml")).unwrap()
    }

    fn words(makings: &[Making]) -> Vec<String> {
        let words = makings.iter().map(|making| match making {
            Making::Table { name, primary } => format!("{name} with {primary}"),
            Making::Field { table, field } => format!("{table}: {}", field.in_words()),
        });
        words.collect()
    }

    #[test]
    fn tables_are_made_before_links_to_them_and_formulas_last() {
        let (makings, notes) = agency().missing(&[]);
        let words = words(&makings);
        assert!(notes.is_empty(), "{notes:?}");
        assert_eq!(words[0], "client with Name");
        let place = |start: &str| words.iter().position(|line| line.starts_with(start)).unwrap();
        assert!(place("comptes_rendus with") < place("projet: create the field \"Client\" (link_row to client)"));
        assert!(
            words.last().unwrap().contains("(formula: field('heures_max')"),
            "{words:?}"
        );
        assert!(
            words.contains(&r#"formation: create the field "Statut" (single_select: Brouillon, Publié)"#.to_owned())
        );
    }

    #[test]
    fn what_is_there_is_left_alone_and_what_is_otherwise_is_told() {
        let there = [
            seen("client", &[("Nom", "text")]),
            seen("projet", &[("Nom", "text"), ("Statut", "text")]),
        ];
        let (makings, notes) = agency().missing(&there);
        let words = words(&makings);
        assert!(
            !words
                .iter()
                .any(|line| line.starts_with("client") || line.starts_with("projet with"))
        );
        assert!(
            !words
                .iter()
                .any(|line| line.contains("projet: create the field \"Statut\""))
        );
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(
            notes[0].contains("no field \"Name\"") && notes[1].contains("is text"),
            "{notes:?}"
        );
    }

    #[test]
    fn a_link_to_nowhere_is_refused_with_its_place() {
        let schema = |link: &str| {
            let field = format!("{{ name = \"L\", type = \"link_row\"{link} }}");
            Schema::parse(&format!(
                "[[tables]]\nname = \"a\"\nprimary = \"N\"\nfields = [{field}]\n"
            ))
        };
        assert!(schema(", link_row_table = \"a\"").is_ok());
        assert!(
            schema(", link_row_table = \"b\"")
                .unwrap_err()
                .contains("a.L links to the table \"b\"")
        );
        assert!(schema("").unwrap_err().contains("link_row_table"));
    }
}
