//! The Debian package: what is in it, and what its units let the programs do.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::Context as _;
use passerelle_model::config::Reader;
use system_tests::builder::repository;
use system_tests::process::program_path;
use tempfile::TempDir;
use test_support::program_of_package;

/// The package of the programs under test, unpacked.
struct Package {
    root: TempDir,
}

impl Package {
    /// `None`, said aloud, where packages cannot be built.
    fn unpacked() -> anyhow::Result<Option<Self>> {
        let Some(mut unpack) = program_of_package("dpkg-deb", "dpkg") else {
            return Ok(None);
        };
        let (made, root) = (tempfile::tempdir()?, tempfile::tempdir()?);
        ran(unpack.arg("--raw-extract").arg(built(made.path())?).arg(root.path()))?;
        Ok(Some(Self { root }))
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// What the units need of any system with systemd, and of `procps`, which the package depends on.
    fn add_system(&self) -> anyhow::Result<()> {
        for target in ["sysinit", "basic", "shutdown", "network-online", "multi-user"] {
            let path = self.path("usr/lib/systemd/system").join(format!("{target}.target"));
            fs::write(path, format!("[Unit]\nDescription={target}\n"))?;
        }
        let kill = self.path("bin/kill");
        fs::create_dir_all(self.path("bin"))?;
        fs::write(&kill, "#!/bin/sh\n")?;
        fs::set_permissions(kill, fs::Permissions::from_mode(0o755))?;
        Ok(())
    }

    /// The files of a folder, by their paths in the package.
    fn files(&self, folder: &str) -> anyhow::Result<Vec<String>> {
        let mut found = Vec::new();
        for entry in walk(&self.path(folder))? {
            found.push(format!("/{}", entry.strip_prefix(self.root.path())?.display()));
        }
        found.sort();
        Ok(found)
    }
}

/// Builds the package of the programs under test into a folder.
pub(crate) fn built(folder: &Path) -> anyhow::Result<PathBuf> {
    built_as("passerelle", folder)
}

fn built_as(name: &str, folder: &Path) -> anyhow::Result<PathBuf> {
    let programs = program_path("passerelle")?;
    let programs = programs.parent().context("no folder")?;
    let mut deb = Command::new(repository().join("scripts/deb"));
    let printed = ran(deb.arg(programs).arg(folder).args(["none", name]))?.stdout;
    Ok(PathBuf::from(String::from_utf8(printed)?.trim()))
}

pub(crate) fn ran(command: &mut Command) -> anyhow::Result<Output> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    anyhow::ensure!(output.status.success(), "{command:?}: {told}");
    Ok(output)
}

fn walk(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(walk(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

#[test]
fn the_package_has_all_programs_and_keeps_what_an_admin_changes() {
    let Some(package) = Package::unpacked().unwrap() else {
        return;
    };
    let programs = package.files("usr/bin").unwrap();
    assert_eq!(
        programs,
        [
            "/usr/bin/passerelle",
            "/usr/bin/passerelle-ingress",
            "/usr/bin/passerelle-worker"
        ]
    );
    let kept = fs::read_to_string(package.path("DEBIAN/conffiles")).unwrap();
    let kept: Vec<&str> = kept.lines().collect();
    assert_eq!(
        kept,
        package.files("etc").unwrap(),
        "dpkg asks before it changes any of them"
    );
    let said = ran(Command::new(package.path("usr/bin/passerelle"))
        .args(["check", "--file"])
        .arg(package.path("etc/passerelle/bridge.toml"))
        .env("PASSERELLE_ENV_FILE", "/dev/null")
        .env("BASEROW_WEBHOOK_SECRET", "x".repeat(16)))
    .unwrap();
    assert!(
        String::from_utf8_lossy(&said.stdout).contains("no problems"),
        "{said:?}"
    );
}

/// As it is installed beside the programs of the bridge.
#[test]
fn the_package_of_play_has_what_play_needs_beside_the_bridge() {
    let Some(mut unpack) = program_of_package("dpkg-deb", "dpkg") else {
        return;
    };
    let programs = program_path("passerelle").unwrap();
    let programs = programs.parent().unwrap();
    let root = tempfile::tempdir_in(programs).unwrap();
    let package = built_as("passerelle-play", root.path()).unwrap();
    ran(unpack.arg("--extract").arg(package).arg(root.path())).unwrap();
    let installed = root.path().join("usr/bin");
    for program in ["passerelle", "passerelle-ingress", "passerelle-worker"] {
        fs::hard_link(programs.join(program), installed.join(program)).unwrap();
    }
    let example = root
        .path()
        .join("usr/share/doc/passerelle-play/examples/crm/scenario.toml");
    let said = ran(Command::new(installed.join("passerelle")).arg("play").arg(example)).unwrap();
    let said = String::from_utf8_lossy(&said.stdout);
    assert!(said.contains("all of it is true"), "{said}");
}

#[test]
fn the_settings_of_the_package_are_settings() {
    let Some(package) = Package::unpacked().unwrap() else {
        return;
    };
    let path = package.path("etc/passerelle/passerelle.env");
    let as_shipped = fs::read_to_string(&path).unwrap();
    // What is commented out there is what an admin fills in.
    let filled = as_shipped
        .replace("\n#BASEROW", "\nBASEROW")
        .replace("\n#DOCMOST", "\nDOCMOST");
    assert_ne!(filled, as_shipped);
    fs::write(&path, filled).unwrap();
    let reader = Reader::from_pairs::<String, String>([]).with_env_file(Some(&path));
    assert_eq!(reader.unknown(), []);
}

#[test]
fn the_units_are_valid_and_confined() {
    let Some(package) = Package::unpacked().unwrap() else {
        return;
    };
    let units = package.files("usr/lib/systemd/system").unwrap();
    assert_eq!(units.len(), 4);
    package.add_system().unwrap();
    for unit in units {
        let name = unit.replace("@.", "@1.");
        let root = format!("--root={}", package.root.path().display());
        let analyze = |verb: &[&str]| {
            let mut program = program_of_package("systemd-analyze", "systemd")?;
            Some(ran(program.args(verb).arg(&root).arg(&name)).unwrap())
        };
        let Some(verified) = analyze(&["verify", "--man=no"]) else {
            return;
        };
        assert_eq!(String::from_utf8_lossy(&verified.stderr), "", "{unit}");
        // Of 100, which is no protection at all.
        analyze(&["security", "--offline=true", "--threshold=25"]);
    }
}
