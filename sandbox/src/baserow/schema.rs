//! The tables of the training agency: what is in them before the first row.
//!
//! Ids, names and types are those of the recorded server, so that its exchanges can be replayed.
//! Fields that the records do not show have ids from 101 on. Ids of later fields start at 35, as
//! they did on the recorded server.

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
    /// `minuend - sum(lookup(link, summand))`: the one formula of these tables.
    Remainder {
        minuend: u64,
        link: u64,
        summand: u64,
        source: &'static str,
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

/// The first field id that a later field gets.
pub(crate) const NEXT_FIELD_ID: u64 = 35;
/// The first id of a later select option.
pub(crate) const NEXT_OPTION_ID: u64 = 6;

/// Every table: its id, its name, and its fields in order, the primary one first.
pub(crate) fn tables() -> Vec<(u64, &'static str, Vec<Field>)> {
    vec![
        (1, "client", vec![text(1, "Name"), link(5, "projet", 2, 4)]),
        (2, "projet", projet()),
        (3, "formation", formation()),
        (4, "bloc", bloc()),
        (5, "personne", personne()),
        (6, "attribution", attribution()),
        (7, "intervention", intervention()),
        (
            8,
            "comptes_rendus",
            vec![text(26, "Titre"), text(27, "docmost_page_id")],
        ),
        (9, "essai", essai()),
    ]
}

fn projet() -> Vec<Field> {
    let statuts = [
        (1, "Brouillon", "light-gray"),
        (2, "En cours", "blue"),
        (3, "Terminé", "green"),
    ];
    vec![
        text(2, "Nom"),
        field(3, "Statut", select(&statuts)),
        link(4, "Client", 1, 5),
        text(6, "docmost_page_id"),
        field(7, "docmost_url", Kind::Url),
    ]
}

fn formation() -> Vec<Field> {
    vec![
        text(8, "Titre"),
        field(
            9,
            "Statut",
            select(&[(4, "Brouillon", "light-gray"), (5, "Publié", "green")]),
        ),
        text(10, "docmost_page_id"),
        field(101, "docmost_url", Kind::Url),
        link(13, "bloc", 4, 12),
    ]
}

fn bloc() -> Vec<Field> {
    vec![
        text(11, "Titre"),
        link(12, "Formation", 3, 13),
        text(102, "docmost_page_id"),
        field(103, "docmost_url", Kind::Url),
    ]
}

fn personne() -> Vec<Field> {
    let remaining = Kind::Remainder {
        minuend: 16,
        link: 19,
        summand: 20,
        source: "field('heures_max') - sum(lookup('attribution','heures'))",
    };
    vec![
        text(14, "Nom"),
        field(15, "Email", Kind::Email),
        field(16, "heures_max", HOURS),
        link(19, "attribution", 6, 18),
        link(23, "intervention", 7, 22),
        field(25, "heures_restantes_total", remaining),
    ]
}

fn attribution() -> Vec<Field> {
    vec![
        text(17, "Libelle"),
        link(18, "Personne", 5, 19),
        field(20, "heures", HOURS),
    ]
}

fn intervention() -> Vec<Field> {
    vec![
        text(21, "Libelle"),
        link(22, "Personne", 5, 23),
        field(24, "heures", HOURS),
        field(104, "Date", Kind::Date),
    ]
}

fn essai() -> Vec<Field> {
    vec![
        text(28, "Intitulé de l'étape"),
        field(29, "Date de début", Kind::Date),
        text(30, "Chargé d’étude / référent"),
        field(31, "Modifié par", Kind::LastModifiedBy),
        field(32, "Modifié le", Kind::LastModified),
        field(33, "Créé par", Kind::CreatedBy),
        text(34, "note"),
    ]
}

const HOURS: Kind = Kind::Number {
    places: 2,
    negative: false,
};

fn field(id: u64, name: &str, kind: Kind) -> Field {
    let name = name.to_owned();
    Field { id, name, kind }
}

fn text(id: u64, name: &str) -> Field {
    field(id, name, Kind::Text)
}

fn link(id: u64, name: &str, table: u64, related: u64) -> Field {
    let related = Some(related);
    field(id, name, Kind::Link { table, related })
}

fn select(options: &[(u64, &str, &str)]) -> Kind {
    let option = |&(id, value, color): &(u64, &str, &str)| SelectOption {
        id,
        value: value.to_owned(),
        color: color.to_owned(),
    };
    Kind::SingleSelect(options.iter().map(option).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn every_link_is_seen_from_both_sides() {
        let tables = tables();
        let fields: HashMap<u64, (u64, &Field)> = tables
            .iter()
            .flat_map(|(table, _, fields)| fields.iter().map(|field| (field.id, (*table, field))))
            .collect();
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
    fn no_field_id_is_used_twice() {
        let tables = tables();
        let mut ids: Vec<u64> = tables
            .iter()
            .flat_map(|(_, _, fields)| fields.iter().map(|field| field.id))
            .collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }
}
