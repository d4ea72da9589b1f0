//! A Postfix of the test's own: real SMTP answers, and mail in files.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;

use crate::{PATIENCE, TestCertificate, find_program, free_port, skipped};

/// Who owns the delivered mail: nobody.
const OWNER: u32 = 65_534;

/// How a [`TestPostfix`] answers.
#[derive(Debug, Default)]
pub struct PostfixOptions<'a> {
    /// It offers `STARTTLS` with this certificate, and takes no mail without.
    pub certificate: Option<&'a TestCertificate>,
    /// It wants a sign-in, and knows nobody.
    pub wants_login: bool,
    /// Lines of an access table: an address, and what is answered when it is named as a recipient.
    pub recipients: &'a [(&'a str, &'a str)],
}

/// A running Postfix, stopped and removed when dropped. It takes mail for `zoe@example.org`, and
/// knows nobody else there.
#[derive(Debug)]
pub struct TestPostfix {
    master: Child,
    folder: TempDir,
    port: u16,
}

impl TestPostfix {
    /// Starts one. `None`, said aloud, where there is no Postfix or where this user may not start
    /// one: it needs to be root.
    pub fn start(options: &PostfixOptions<'_>) -> anyhow::Result<Option<Self>> {
        let hidden = [PathBuf::from("/usr/sbin")];
        let Some(postfix) = find_program("postfix", &hidden) else {
            return Ok(skipped(
                "Postfix was not found: run `make tools`, or install the package postfix",
            ));
        };
        if Command::new("id").arg("-u").output()?.stdout.trim_ascii() != b"0" {
            return Ok(skipped("Postfix can only be started by root"));
        }
        let (folder, port) = (tempfile::tempdir()?, free_port()?);
        configure(folder.path(), port, options)?;
        let transcript = fs::File::create(folder.path().join("out"))?;
        let master = Command::new(postfix)
            .arg("-c")
            .arg(folder.path().join("conf"))
            .arg("start-fg")
            .stdin(Stdio::null())
            .stdout(transcript.try_clone()?)
            .stderr(transcript)
            .spawn()?;
        let mut server = Self { master, folder, port };
        server.wait()?;
        Ok(Some(server))
    }

    /// Its port on this machine.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The messages that `zoe@example.org` has got, whole, with their headers.
    pub fn mails(&self) -> anyhow::Result<Vec<String>> {
        let inbox = self.folder.path().join("mail/zoe/new");
        let entries = fs::read_dir(inbox).into_iter().flatten();
        entries.map(|entry| Ok(fs::read_to_string(entry?.path())?)).collect()
    }

    /// What it has written of its work.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let said = || fs::read_to_string(self.folder.path().join("out")).unwrap_or_default();
            if let Some(status) = self.master.try_wait()? {
                bail!("Postfix ended at once ({status}): {}{}", said(), self.log());
            }
            ensure!(
                Instant::now() < deadline,
                "Postfix does not answer: {}{}",
                said(),
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for TestPostfix {
    fn drop(&mut self) {
        // Its master ends the others.
        let _ = Command::new("kill").arg(self.master.id().to_string()).status();
        let _ = self.master.wait();
    }
}

fn configure(folder: &Path, port: u16, options: &PostfixOptions<'_>) -> anyhow::Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    for name in ["conf", "queue", "data", "mail", "sasl"] {
        fs::create_dir(folder.join(name))?;
    }
    let postfix = Command::new("id").args(["-u", "postfix"]).output()?.stdout;
    let postfix = String::from_utf8(postfix)?
        .trim()
        .parse()
        .context("there is no user postfix")?;
    chown(folder.join("data"), Some(postfix), None)?;
    chown(folder.join("mail"), Some(OWNER), Some(OWNER))?;
    fs::write(folder.join("conf/master.cf"), services(port))?;
    fs::write(folder.join("conf/main.cf"), settings(folder, options)?)?;
    fs::write(folder.join("conf/boxes"), "zoe@example.org zoe/\n")?;
    let mut access = String::new();
    for (address, answer) in options.recipients {
        writeln!(access, "{address} {answer}")?;
    }
    fs::write(folder.join("conf/access"), access)?;
    // Passwords are looked for in a file that is not there.
    let passwords = folder.join("sasl/passwords").display().to_string();
    let sasl =
        format!("pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {passwords}\nmech_list: PLAIN LOGIN\n");
    fs::write(folder.join("sasl/smtpd.conf"), sasl)?;
    Ok(())
}

fn services(port: u16) -> String {
    let mut text = format!("127.0.0.1:{port} inet n - n - - smtpd\npostlog unix-dgram n - n - 1 postlogd\n");
    for (name, kind, rest) in [
        ("pickup", "unix", "n - n 60 1 pickup"),
        ("cleanup", "unix", "n - n - 0 cleanup"),
        ("qmgr", "unix", "n - n 300 1 qmgr"),
        ("rewrite", "unix", "- - n - - trivial-rewrite"),
        ("bounce", "unix", "- - n - 0 bounce"),
        ("defer", "unix", "- - n - 0 bounce"),
        ("error", "unix", "- - n - - error"),
        ("retry", "unix", "- - n - - error"),
        ("proxymap", "unix", "- - n - - proxymap"),
        ("virtual", "unix", "- n n - - virtual"),
        ("anvil", "unix", "- - n - 1 anvil"),
        ("tlsmgr", "unix", "- - n 1000? 1 tlsmgr"),
        ("scache", "unix", "- - n - 1 scache"),
    ] {
        text.extend([name, " ", kind, " ", rest, "\n"]);
    }
    text
}

fn settings(folder: &Path, options: &PostfixOptions<'_>) -> anyhow::Result<String> {
    let at = folder.display();
    let mut text = format!(
        "compatibility_level = 3.6\nqueue_directory = {at}/queue\ndata_directory = {at}/data\n\
         maillog_file_prefixes = {at}\nmaillog_file = {at}/log\ninet_interfaces = 127.0.0.1\n\
         myhostname = mail.example.org\nmydestination =\nmynetworks = 127.0.0.0/8\nlocal_recipient_maps =\n\
         alias_maps =\nvirtual_mailbox_domains = example.org\nvirtual_mailbox_base = {at}/mail\n\
         virtual_mailbox_maps = texthash:{at}/conf/boxes\nvirtual_minimum_uid = {OWNER}\n\
         virtual_uid_maps = static:{OWNER}\nvirtual_gid_maps = static:{OWNER}\n\
         smtpd_relay_restrictions = reject_unauth_destination\n\
         smtpd_recipient_restrictions = check_recipient_access texthash:{at}/conf/access\n\
         smtpd_peername_lookup = no\n"
    );
    if let Some(certificate) = options.certificate {
        let (chain, key) = (certificate.path(), certificate.key());
        write!(
            text,
            "smtpd_tls_security_level = encrypt\nsmtpd_tls_cert_file = {}\nsmtpd_tls_key_file = {}\n",
            chain.display(),
            key.display()
        )?;
    }
    if options.wants_login {
        write!(
            text,
            "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = cyrus\ncyrus_sasl_config_path = {at}/sasl\n"
        )?;
    }
    Ok(text)
}
