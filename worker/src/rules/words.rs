//! The filters and tests that a template names: one that does not exist would fail every row.

use minijinja::machinery::{Instruction, get_compiled_template};
use minijinja::{ErrorKind, Template};

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
