//! The filters and tests that a template names: one that does not exist would fail every row.

use minijinja::machinery::{Instruction, get_compiled_template};
use minijinja::{ErrorKind, Template};

/// The filters that there are, for a name that is none: the bridge's, and those of the engine.
const FILTERS: [&str; 50] = [
    "number",
    "date",
    "datetime",
    "time",
    "hours",
    "raw",
    "paragraphs",
    "markdown",
    "safe",
    "abs",
    "attr",
    "batch",
    "bool",
    "capitalize",
    "chain",
    "count",
    "default",
    "dictsort",
    "escape",
    "first",
    "float",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "slice",
    "sort",
    "split",
    "sum",
    "title",
    "trim",
    "upper",
];
/// The tests.
const TESTS: [&str; 27] = [
    "defined",
    "undefined",
    "none",
    "true",
    "false",
    "boolean",
    "odd",
    "even",
    "divisibleby",
    "number",
    "integer",
    "float",
    "string",
    "sequence",
    "iterable",
    "mapping",
    "startingwith",
    "endingwith",
    "lower",
    "upper",
    "in",
    "eq",
    "ne",
    "gt",
    "ge",
    "lt",
    "le",
];

/// What there is of a kind: `filter` or `test`.
pub(super) fn known(kind: &str) -> impl Iterator<Item = &'static str> {
    let known: &[&str] = if kind == "filter" { &FILTERS } else { &TESTS };
    known.iter().copied()
}

/// A filter or test that does not exist.
pub(super) struct UnknownWord {
    /// Where, from 1.
    pub(super) line: usize,
    /// `filter` or `test`.
    pub(super) kind: &'static str,
    pub(super) name: String,
}

/// All filters and tests of a template that do not exist, also in branches that few rows take.
pub(super) fn unknown(template: &Template<'_, '_>) -> Vec<UnknownWord> {
    let compiled = get_compiled_template(template);
    let blocks = compiled.blocks.values();
    let mut state = template.new_state();
    let mut unknown = Vec::new();
    for instructions in std::iter::once(&compiled.instructions).chain(blocks) {
        for (at, instruction) in (0..).map_while(|at| instructions.get(at).map(|found| (at, found))) {
            let (kind, name, error) = match instruction {
                Instruction::ApplyFilter(name, ..) => ("filter", name, state.apply_filter(name, &[]).err()),
                Instruction::PerformTest(name, ..) => ("test", name, state.perform_test(name, &[]).err()),
                _ => continue,
            };
            let is_unknown = |kind| matches!(kind, ErrorKind::UnknownFilter | ErrorKind::UnknownTest);
            if error.is_some_and(|error| is_unknown(error.kind())) {
                unknown.push(UnknownWord {
                    line: instructions.get_line(at).unwrap_or(1),
                    kind,
                    name: (*name).to_owned(),
                });
            }
        }
    }
    unknown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::template;

    #[test]
    fn every_filter_and_test_that_may_be_meant_exists() {
        let environment = template::environment();
        let all = FILTERS.map(|name| format!("{{{{ 1 | {name} }}}}"));
        let all = all
            .into_iter()
            .chain(TESTS.map(|name| format!("{{% if 1 is {name} %}}{{% endif %}}")));
        let source: String = all.collect();
        let template = environment.template_from_str(&source).unwrap();
        let unknown: Vec<String> = unknown(&template).into_iter().map(|word| word.name).collect();
        assert_eq!(unknown, [""; 0]);
    }
}
