//! `play`: scenarios of rules, and the playground. Both need a sandbox, which no program of the
//! bridge contains: a program of their own is found beside this one, and takes its place.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use clap::Args;

use crate::console::Console;
use crate::trouble::Trouble;

const PROGRAM: &str = "passerelle-play";

/// `play`.
#[derive(Debug, Args)]
pub struct Play {
    /// The scenarios (docs/SCENARIOS.md). None: the playground, until Ctrl-C.
    pub files: Vec<PathBuf>,
    /// The folder of bridge.toml and its templates. Default: what the scenario names, else the
    /// scenario's own folder, else the working directory.
    #[arg(long, value_name = "DIR")]
    pub rules: Option<PathBuf>,
    /// Print the JSON Schema of scenarios, by which an editor completes and checks them.
    #[arg(long, exclusive = true)]
    pub schema: bool,
}

/// Becomes the other program. Returns where that cannot be.
pub fn run(verb: &Play, console: &Console) -> Result<(), Trouble> {
    let beside = std::env::current_exe().map(|own| own.with_file_name(PROGRAM));
    let program = beside.ok().filter(|program| program.is_file());
    let program = program.ok_or_else(|| {
        Trouble::NotFound(format!(
            "{PROGRAM} is not installed beside this program: install the package passerelle-play of this version, or type \
             `make play FILE=scenario.toml` in the sources; the images do not have it"
        ))
    })?;
    let failed = Command::new(&program).args(arguments(verb, console.json)).exec();
    Err(Trouble::Failed(format!(
        "{} cannot be started: {failed}",
        program.display()
    )))
}

fn arguments(verb: &Play, is_json: bool) -> Vec<OsString> {
    let mut arguments = Vec::new();
    arguments.extend(is_json.then(|| OsString::from("--json")));
    arguments.extend(verb.schema.then(|| OsString::from("--schema")));
    if let Some(rules) = &verb.rules {
        arguments.extend(["--rules".into(), rules.into()]);
    }
    arguments.push("--".into());
    arguments.extend(verb.files.iter().map(OsString::from));
    arguments
}
