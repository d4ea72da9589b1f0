//! The Debian package in a fresh system, by root: `make test-package`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use tempfile::TempDir;
use test_support::needed_program;

use crate::package::{built, ran};

/// What the package depends on, and systemd for its units.
const INCLUDED: &str = "--include=adduser,ca-certificates,procps,systemd";
const UNITS: &str =
    "passerelle.service passerelle-ingress.service passerelle-worker@1.service passerelle-console.service";
/// Typed by the user of the service.
const AS_SERVICE: &str = "setpriv --reuid=passerelle --regid=passerelle --clear-groups";

/// A system of this machine's release, in a folder.
struct FreshSystem {
    folder: TempDir,
}

impl FreshSystem {
    fn made() -> anyhow::Result<Self> {
        let is_root = ran(Command::new("id").arg("-u"))?.stdout.trim_ascii() == b"0";
        anyhow::ensure!(is_root, "a system can only be made by root: sudo make test-package");
        let mut debootstrap = needed_program("debootstrap", "debootstrap")?;
        let about = fs::read_to_string("/etc/os-release")?;
        let release = about.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
        let system = Self {
            folder: tempfile::tempdir()?,
        };
        debootstrap
            .args(["--variant=minbase", INCLUDED])
            .arg(release.context("no release")?);
        ran(debootstrap.arg(system.path("/")))?;
        Ok(system)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join("system").join(path.trim_start_matches('/'))
    }

    /// Types a command in it, which has to work. Returns everything that it printed.
    fn typed(&self, command: &str) -> anyhow::Result<String> {
        let mut shell = Command::new("chroot");
        shell.arg(self.path("/")).args(["sh", "-c", command]);
        let output = ran(shell.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"))?;
        Ok(String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?)
    }

    /// Installs a package; of a file that both sides have changed, the admin's stays.
    fn install(&self, package: &Path) -> anyhow::Result<()> {
        let name = package.file_name().and_then(|name| name.to_str()).context("no name")?;
        fs::copy(package, self.path(name))?;
        self.typed(&format!("dpkg --force-confdef --force-confold --install /{name}"))
            .map(drop)
    }

    fn replace(&self, path: &str, earlier: &str, new: &str) -> anyhow::Result<()> {
        replace(&self.path(path), earlier, new)
    }

    fn text_of(&self, path: &str) -> anyhow::Result<String> {
        fs::read_to_string(self.path(path)).with_context(|| path.to_owned())
    }
}

fn replace(path: &Path, earlier: &str, new: &str) -> anyhow::Result<()> {
    let text = fs::read_to_string(path)?;
    anyhow::ensure!(text.contains(earlier), "{earlier:?} is not in {}", path.display());
    Ok(fs::write(path, text.replace(earlier, new))?)
}

/// The package as an earlier version may have been: with other rules and another template.
fn earlier(package: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let (tree, made) = (folder.join("earlier"), folder.join("passerelle_earlier.deb"));
    ran(Command::new("dpkg-deb").arg("--raw-extract").arg(package).arg(&tree))?;
    let version = format!("Version: {}", env!("CARGO_PKG_VERSION"));
    replace(&tree.join("DEBIAN/control"), &version, "Version: 0.0.1")?;
    for file in ["bridge.toml", "templates/projet.md"] {
        let path = tree.join("etc/passerelle").join(file);
        fs::write(&path, fs::read_to_string(&path)? + "\n")?;
    }
    let mut build = Command::new("dpkg-deb");
    build
        .args(["--root-owner-group", "-Znone", "--build"])
        .arg(&tree)
        .arg(&made);
    ran(&mut build)?;
    Ok(made)
}

#[test]
#[ignore = "makes a system in a folder, by root: make test-package"]
fn the_package_is_installed_upgraded_beside_what_an_admin_has_changed_and_purged() {
    let system = FreshSystem::made().unwrap();
    let package = built(system.folder.path()).unwrap();
    system
        .install(&earlier(&package, system.folder.path()).unwrap())
        .unwrap();
    it_is_sound(&system).unwrap();

    // An admin fills in the settings, and changes the rules.
    for name in ["BASEROW", "DOCMOST"] {
        let settings = "/etc/passerelle/passerelle.env";
        system
            .replace(settings, &format!("\n#{name}"), &format!("\n{name}"))
            .unwrap();
    }
    let rules = "/etc/passerelle/bridge.toml";
    system.replace(rules, "\"Projet {{", "\"Dossier {{").unwrap();
    let (settings, changed) = (
        system.text_of("/etc/passerelle/passerelle.env").unwrap(),
        system.text_of(rules).unwrap(),
    );
    let kept = "/var/lib/passerelle/spool/waits";
    system
        .typed("install -d -o passerelle /var/lib/passerelle/spool")
        .unwrap();
    system.typed(&format!("touch {kept}")).unwrap();

    system.install(&package).unwrap();
    it_is_sound(&system).unwrap();
    let version = system
        .typed("dpkg-query --show --showformat '${Version}' passerelle")
        .unwrap();
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
    assert_eq!(system.text_of("/etc/passerelle/passerelle.env").unwrap(), settings);
    assert_eq!(system.text_of(rules).unwrap(), changed);
    let shipped = system.text_of("/etc/passerelle/bridge.toml.dpkg-dist").unwrap();
    assert!(shipped.contains("\"Projet {{"), "{shipped}");
    let template = system.text_of("/etc/passerelle/templates/projet.md").unwrap();
    assert!(
        !template.ends_with("\n\n"),
        "what nobody has changed is the new one: {template}"
    );
    let checked = system.typed(&format!(
        "BASEROW_WEBHOOK_SECRET=0123456789abcdef {AS_SERVICE} passerelle check --file {rules}"
    ));
    assert!(
        checked.as_ref().is_ok_and(|said| said.contains("no problems")),
        "{checked:?}"
    );

    system.typed("dpkg --remove passerelle").unwrap();
    assert_eq!(system.text_of(rules).unwrap(), changed);
    assert!(!system.path("/usr/bin/passerelle").exists());
    let purged = system.typed("dpkg --purge passerelle").unwrap();
    assert!(purged.contains("/var/lib/passerelle is kept"), "{purged}");
    assert!(!system.path("/etc/passerelle/passerelle.env").exists() && system.path(kept).exists());
}

/// The programs run, the units are valid, and nobody else reads the secrets.
fn it_is_sound(system: &FreshSystem) -> anyhow::Result<()> {
    for program in ["passerelle", "passerelle-ingress", "passerelle-worker"] {
        let libraries = system.typed(&format!("ldd /usr/bin/{program}"))?;
        anyhow::ensure!(!libraries.contains("not found"), "{program}: {libraries}");
    }
    let said = system.typed(&format!("{AS_SERVICE} passerelle --version"))?;
    anyhow::ensure!(
        said.trim() == format!("passerelle {}", env!("CARGO_PKG_VERSION")),
        "{said}"
    );
    let rights = system.typed("stat --format '%U:%G %a' /etc/passerelle/passerelle.env")?;
    anyhow::ensure!(rights.trim() == "root:passerelle 640", "{rights}");
    let complaints = system.typed(&format!(
        "cd /usr/lib/systemd/system && systemd-analyze verify --man=no {UNITS}"
    ))?;
    anyhow::ensure!(complaints.is_empty(), "{complaints}");
    Ok(())
}
