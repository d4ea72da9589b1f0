//! The tables of the training agency: what is in them before the first row.
//!
//! They are those of `examples/agence/schema.toml`. Their ids are those of the recorded server, so
//! that its exchanges can be replayed. Fields that the records do not show have ids from 101 on.
//! Ids of later fields start at 35, as they did on the recorded server.

use serde::Deserialize;
use serde_json::{Map, Value};

/// A field of a table.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Text,
    LongText,
    Url,
    Email,
    Boolean,
    /// A decimal with `places` places, printed as a string.
    Number {
        places: u32,
        negative: bool,
    },
    SingleSelect(Vec<SelectOption>),
    /// Rows of another table. `related` is the field that shows the same links from there, if any.
    Link {
        table: u64,
        related: Option<u64>,
    },
    Date,
    /// `minuend - sum(lookup(link, summand)) - …`: the one formula of these tables.
    Remainder {
        minuend: u64,
        /// Links, each with the field of the linked rows that is summed up.
        parts: Vec<(u64, u64)>,
        source: String,
    },
    LastModified,
    LastModifiedBy,
    CreatedBy,
}

/// One choice of a single select.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SelectOption {
    pub(crate) id: u64,
    pub(crate) value: String,
    pub(crate) color: String,
}

impl Kind {
    /// Baserow's word for the type.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::LongText => "long_text",
            Self::Url => "url",
            Self::Email => "email",
            Self::Boolean => "boolean",
            Self::Number { .. } => "number",
            Self::SingleSelect(_) => "single_select",
            Self::Link { .. } => "link_row",
            Self::Date => "date",
            Self::Remainder { .. } => "formula",
            Self::LastModified => "last_modified",
            Self::LastModifiedBy => "last_modified_by",
            Self::CreatedBy => "created_by",
        }
    }

    /// Whether the value is computed and cannot be set.
    pub(crate) const fn is_read_only(&self) -> bool {
        matches!(
            self,
            Self::Remainder { .. } | Self::LastModified | Self::LastModifiedBy | Self::CreatedBy
        )
    }
}

/// The tables of the training agency, as a person makes them.
const AGENCY: &str = include_str!("../../../examples/agence/schema.toml");

/// The first field id that a later field gets.
pub(crate) const NEXT_FIELD_ID: u64 = 35;

/// A table to be made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TableSpec {
    pub(crate) name: String,
    /// The name of its first field, a text.
    pub(crate) primary: String,
    /// Its other fields as the API takes them; `link_row_table` names the table of a link.
    #[serde(default)]
    pub(crate) fields: Vec<Map<String, Value>>,
}

/// The tables that are there from the start: the agency's, and one that the records try all types
/// with.
pub(crate) fn tables() -> Vec<TableSpec> {
    #[derive(Deserialize)]
    struct Schema {
        tables: Vec<TableSpec>,
    }
    // The tests below fail where it cannot be read.
    let schema: Result<Schema, _> = toml::from_str(AGENCY);
    let mut tables = schema.map(|schema| schema.tables).unwrap_or_default();
    tables.push(essai());
    tables
}

fn essai() -> TableSpec {
    let field = |(name, kind): (&str, &str)| {
        let field = [("name", name), ("type", kind)];
        field
            .map(|(key, value)| (key.to_owned(), value.into()))
            .into_iter()
            .collect()
    };
    let fields = [
        ("Date de début", "date"),
        ("Chargé d’étude / référent", "text"),
        ("Modifié par", "last_modified_by"),
        ("Modifié le", "last_modified"),
        ("Créé par", "created_by"),
        ("note", "text"),
    ];
    TableSpec {
        name: "essai".to_owned(),
        primary: "Intitulé de l'étape".to_owned(),
        fields: fields.map(field).into(),
    }
}

/// The id of a field on the recorded server, or above 100 where the records do not show it.
pub(crate) fn recorded_id(table: &str, field: &str) -> Option<u64> {
    let fields: &[(&str, u64)] = match table {
        "client" => &[("Name", 1), ("projet", 5)],
        "projet" => &[
            ("Nom", 2),
            ("Statut", 3),
            ("Client", 4),
            ("docmost_page_id", 6),
            ("docmost_url", 7),
        ],
        "formation" => &[
            ("Titre", 8),
            ("Statut", 9),
            ("docmost_page_id", 10),
            ("docmost_url", 101),
            ("bloc", 13),
        ],
        "bloc" => &[
            ("Titre", 11),
            ("Formation", 12),
            ("docmost_page_id", 102),
            ("docmost_url", 103),
        ],
        "personne" => &[
            ("Nom", 14),
            ("Email", 15),
            ("heures_max", 16),
            ("attribution", 19),
            ("intervention", 23),
            ("heures_restantes_total", 25),
        ],
        "attribution" => &[("Libelle", 17), ("Personne", 18), ("heures", 20)],
        "intervention" => &[("Libelle", 21), ("Personne", 22), ("heures", 24), ("Date", 104)],
        "comptes_rendus" => &[("Titre", 26), ("docmost_page_id", 27)],
        "essai" => &[
            ("Intitulé de l'étape", 28),
            ("Date de début", 29),
            ("Chargé d’étude / référent", 30),
            ("Modifié par", 31),
            ("Modifié le", 32),
            ("Créé par", 33),
            ("note", 34),
        ],
        _ => &[],
    };
    let mut fields = fields.iter();
    fields.find(|(name, _)| *name == field).map(|(_, id)| *id)
}

#[cfg(test)]
mod tests {
    use super::super::store::Store;
    use super::*;
    use std::collections::{HashMap, HashSet};

    fn fields(store: &Store) -> HashMap<u64, (u64, &Field)> {
        let tables = store.tables.values();
        let fields = tables.flat_map(|table| table.fields.iter().map(|field| (field.id, (table.id, field))));
        fields.collect()
    }

    #[test]
    fn every_link_is_seen_from_both_sides() {
        let store = Store::new();
        let fields = fields(&store);
        for (own_table, field) in fields.values() {
            let Kind::Link {
                table,
                related: Some(related),
            } = field.kind
            else {
                continue;
            };
            let (other_table, other) = fields[&related];
            assert_eq!(other_table, table, "{}", field.name);
            assert_eq!(
                other.kind,
                Kind::Link {
                    table: *own_table,
                    related: Some(field.id)
                }
            );
        }
    }

    #[test]
    fn every_field_has_an_id_of_its_own_that_later_fields_do_not_get() {
        let mut store = Store::new();
        let count: usize = store.tables.values().map(|table| table.fields.len()).sum();
        let ids: HashSet<u64> = fields(&store).into_keys().collect();
        assert_eq!(ids.len(), count);
        assert!(ids.iter().all(|id| *id < NEXT_FIELD_ID || *id > 100), "{ids:?}");
        assert_eq!(store.new_field_id("projet", "new"), NEXT_FIELD_ID);
    }

    #[test]
    fn the_hours_that_a_person_has_left_count_attributions_and_interventions() {
        let store = Store::new();
        let fields = fields(&store);
        assert_eq!(
            fields[&25].1.kind,
            Kind::Remainder {
                minuend: 16,
                parts: vec![(19, 20), (23, 24)],
                source: "field('heures_max') - sum(lookup('attribution','heures')) \
                         - sum(lookup('intervention','heures'))"
                    .to_owned()
            }
        );
    }
}
