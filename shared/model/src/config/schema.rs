//! The JSON Schema of a TOML file, made from the types that read it: editors complete and check the
//! file by it.

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use super::bridge_file::BridgeFile;

/// The schema as the file `bridge.schema.json` has it.
pub fn bridge_file_schema() -> String {
    json_schema::<BridgeFile>()
}

/// The schema of a TOML file that is read as this type. Editors understand draft 7 best.
pub fn json_schema<T: JsonSchema>() -> String {
    let generator = SchemaSettings::draft07().into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    RecursiveTransform(without_null).transform(&mut schema);
    format!("{:#}\n", schema.as_value())
}

/// Exactly one of these groups of keys.
pub(super) fn one_of(groups: &[&[&str]]) -> Value {
    groups.iter().map(|keys| json!({"required": keys})).collect()
}

/// TOML has no `null`: what is optional is left out.
fn without_null(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_mut_slice() {
            let only = only.take();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(any)) = schema.get_mut("anyOf") {
        any.retain(|kind| *kind != json!({"type": "null"}));
    }
    if schema.get("default") == Some(&Value::Null) {
        schema.remove("default");
    }
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text
            .replace("\n\n", "\u{1}")
            .replace('\n', " ")
            .replace('\u{1}', "\n\n");
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use boon::{Compiler, Schemas};
    use rstest::rstest;

    use super::*;

    const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    const NAME: &str = "bridge.schema.json";

    /// What is wrong with a file by the schema; nothing if it is valid.
    fn complaints(text: &str) -> String {
        let schema = serde_json::from_str(&bridge_file_schema()).unwrap();
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource(NAME, schema).unwrap();
        let schema = compiler.compile(NAME, &mut schemas).unwrap();
        let file: Value = toml::from_str(text).unwrap();
        let checked = schemas.validate(&file, schema);
        checked.err().map_or_else(String::new, |error| format!("{error:#}"))
    }

    /// Every file of rules in the project, with its text.
    fn shipped() -> Vec<(PathBuf, String)> {
        let found = std::process::Command::new("git")
            .args(["ls-files", "--", "bridge.toml", "*/bridge.toml"])
            .current_dir(ROOT)
            .output()
            .unwrap();
        let paths = String::from_utf8(found.stdout).unwrap();
        let paths = paths.lines().map(PathBuf::from);
        let read = |path: PathBuf| {
            let text = std::fs::read_to_string(Path::new(ROOT).join(&path)).unwrap();
            (path, text)
        };
        paths.map(read).collect()
    }

    #[test]
    fn the_schema_in_the_project_is_that_of_the_types() {
        let kept = std::fs::read_to_string(Path::new(ROOT).join(NAME)).unwrap();
        assert!(kept == bridge_file_schema(), "{NAME} is out of date: `make settings`");
    }

    #[test]
    fn every_shipped_file_of_rules_names_the_schema_and_is_valid() {
        let shipped = shipped();
        assert!(shipped.len() >= 3, "{shipped:?}");
        for (path, text) in shipped {
            let named = text.lines().next().and_then(|line| line.strip_prefix("#:schema "));
            let named = named.unwrap_or_else(|| panic!("{} names no schema", path.display()));
            let schema = Path::new(ROOT).join(path.with_file_name(named));
            assert!(
                schema.ends_with(NAME) && schema.is_file(),
                "{}: {named}",
                path.display()
            );
            assert_eq!(complaints(&text), "", "{}", path.display());
        }
    }

    const RULE: &str = "name = \"a\"\ntable = \"t\"";
    const PAGE: &str = "[rules.page]\nspace = \"s\"\ntitle = \"t\"\nbody = \"b.md\"";
    const NOTICE: &str = "[rules.notice]\ntemplate = \"n\"";

    #[rstest]
    #[case::key(&format!("{RULE}\nlnks = {{}}\n{PAGE}"), "lnks")]
    #[case::word(&format!("{RULE}\non = [\"creatd\"]\n{PAGE}"), "/rules/0/on/0")]
    #[case::no_kinds(&format!("{RULE}\non = []\n{PAGE}"), "/rules/0/on'")]
    #[case::kind(&format!("{RULE}\nlinks = \"Client\"\n{PAGE}"), "/rules/0/links")]
    #[case::missing(&format!("{RULE}\n[rules.page]\ntitle = \"t\"\nbody = \"b.md\""), "space")]
    #[case::no_action(RULE, "rules/0")]
    #[case::two_actions(&format!("{RULE}\n{PAGE}\n{NOTICE}"), "rules/0")]
    #[case::slot(&format!("{RULE}\n{PAGE}\n[rules.collection]\nof = \"b\"\nslot = \"B1\"\ntitle = \"t\"\nbody = \"b.md\""), "/collection/slot")]
    #[case::deeper(&format!("{RULE}\n{PAGE}\nrow_deleted = \"delete\""), "row_deleted")]
    #[case::wiki(&format!("{RULE}\n{PAGE}\n[[wiki]]\nname = \"w\"\nlabel = \"l\""), "wiki/0")]
    #[case::label(&format!("{RULE}\n{PAGE}\n[[wiki]]\nname = \"w\"\nlabel = \"Un libellé\"\nrow = {{ table = 2, page_id = \"p\", fields = {{}} }}"), "label")]
    fn a_wrong_file_is_refused_at_the_place(#[case] rule: &str, #[case] place: &str) {
        const SOURCES: &str = "[sources]\n\"*\" = { proof = \"hmac\", secrets = \"S\" }\n[[rules]]\n";
        let found = complaints(&format!("{SOURCES}{rule}"));
        assert!(found.contains(place), "{found}");
        assert_eq!(complaints(&format!("{SOURCES}{RULE}\n{PAGE}")), "");
    }

    #[rstest]
    #[case("proof = [], secrets = \"S\"")]
    #[case("proof = \"hmca\", secrets = \"S\"")]
    #[case("proof = \"hmac\"")]
    #[case("proof = \"hmac\", secrets = \"S\", tables = [0]")]
    fn a_wrong_source_is_refused(#[case] source: &str) {
        assert_ne!(complaints(&format!("[sources]\n\"*\" = {{ {source} }}")), "");
    }
}
