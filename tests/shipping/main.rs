//! What ships beside the programs: compose file, Kubernetes base, workflows, scripts. No engine is needed:
//! each name that they use is looked up where it is defined.

mod compose;
mod kubernetes;
mod tools;
mod workflows;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use passerelle_model::config::catalogue::Setting;
use serde_json::{Map, Value};
use system_tests::builder::repository;
use yaml_rust2::yaml::Hash;
use yaml_rust2::{Yaml, YamlLoader};

fn text_of(path: &str) -> anyhow::Result<String> {
    fs::read_to_string(repository().join(path)).with_context(|| path.to_owned())
}

/// The documents of a YAML file.
fn documents(path: &str) -> anyhow::Result<Vec<Value>> {
    parsed(&text_of(path)?).with_context(|| path.to_owned())
}

/// The documents of a YAML text, with what `<<` merges into an object.
fn parsed(text: &str) -> anyhow::Result<Vec<Value>> {
    YamlLoader::load_from_str(text)?.iter().map(value_of).collect()
}

fn value_of(yaml: &Yaml) -> anyhow::Result<Value> {
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Boolean(boolean) => Value::from(*boolean),
        Yaml::Integer(number) => Value::from(*number),
        Yaml::Real(number) => Value::from(number.parse::<f64>()?),
        Yaml::String(text) => Value::from(text.as_str()),
        Yaml::Array(items) => Value::Array(items.iter().map(value_of).collect::<anyhow::Result<_>>()?),
        Yaml::Hash(fields) => Value::Object(object_of(fields)?),
        Yaml::Alias(_) | Yaml::BadValue => bail!("{yaml:?} has no value"),
    })
}

/// What stands in the object itself counts more than what is merged into it.
fn object_of(fields: &Hash) -> anyhow::Result<Map<String, Value>> {
    let (mut own, mut merged) = (Map::new(), Map::new());
    for (name, value) in fields {
        let name = name.as_str().with_context(|| format!("{name:?} is no name"))?;
        match value_of(value)? {
            Value::Object(others) if name == "<<" => merged.extend(others),
            _ if name == "<<" => bail!("{value:?} is merged, and no object"),
            value => {
                own.insert(name.to_owned(), value);
            }
        }
    }
    merged.extend(own);
    Ok(merged)
}

/// The YAML files of a folder, by their paths in the repository.
fn yaml_files(folder: &str) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(repository().join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "yml" || extension == "yaml")
            {
                found.push(path.display().to_string());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Every object of a document, with the name under which it stands.
fn objects(value: &Value) -> Vec<&Value> {
    let below: Vec<&Value> = match value {
        Value::Object(fields) => fields.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    let below = below.into_iter().flat_map(objects);
    value.is_object().then_some(value).into_iter().chain(below).collect()
}

fn words<'a>(value: &'a Value, pointer: &str) -> Vec<&'a str> {
    let items = value.pointer(pointer).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The setting with this name; a secret may also be named by its file.
fn setting(name: &str) -> Option<&'static Setting> {
    Setting::find(name).or_else(|| Setting::find(name.strip_suffix("_FILE")?).filter(|setting| setting.secret))
}

/// Whether the Dockerfile has this stage.
fn is_stage(name: &str) -> anyhow::Result<bool> {
    Ok(text_of("Dockerfile")?
        .lines()
        .any(|line| line.ends_with(&format!(" AS {name}"))))
}
