//! Whether our token may do in each table what the rules do there.

use std::collections::BTreeMap;

use passerelle_model::config::Problem;
use passerelle_model::id::TableId;
use passerelle_worker::clients::baserow::{Baserow, Right, Table};
use passerelle_worker::failure::Failure;
use passerelle_worker::rules::{Purpose, RuleSources, Rules};

use super::judge::place_of_table;
use super::problem;
use super::tables::Survey;

impl Survey {
    /// The rights that our token lacks, each with the first rule that needs it. Baserow is asked
    /// once for each table and right.
    pub async fn missing_rights(
        &self,
        baserow: &Baserow,
        sources: &RuleSources,
        rules: &Rules,
    ) -> Result<Vec<Problem>, Failure> {
        let mut problems = Vec::new();
        for ((table, right), (name, place)) in self.rights(sources, rules) {
            if !baserow.may(right, table).await? {
                let right = right.as_str();
                problems.push(problem(
                    &place,
                    format!("BASEROW_TOKEN may not {right} rows of the table {name:?}"),
                    format!("give the token the right {right:?} on the table (Baserow: Settings → Database tokens)"),
                ));
            }
        }
        Ok(problems)
    }

    /// The rights that the rules need, with the name of the table and the place of a rule.
    fn rights(&self, sources: &RuleSources, rules: &Rules) -> BTreeMap<(TableId, Right), (String, String)> {
        let mut rights = BTreeMap::new();
        for needs in rules.table_needs() {
            let place = place_of_table(sources, &needs);
            let mut need = |table: &Table, right| {
                let told = || (table.name.clone(), place.clone());
                rights.entry((table.id, right)).or_insert_with(told);
            };
            if let Some(own) = self.table(needs.table) {
                need(&own.table, Right::Read);
                if needs.is_wiki {
                    need(&own.table, Right::Create);
                }
            }
            for field in &needs.fields {
                let Some(table) = self.owner(needs.table, &field.of) else {
                    continue;
                };
                need(&table.table, Right::Read);
                if matches!(field.purpose, Purpose::PageId | Purpose::PageUrl | Purpose::Text) {
                    need(&table.table, Right::Update);
                }
            }
        }
        rights
    }
}
