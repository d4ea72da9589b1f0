//! Mail and Slack: how people are notified of trouble.

use passerelle_model::config::{MailSettings, Reader, SlackSettings};
use passerelle_worker::clients::mail::Mail;

use super::Finding;

pub(super) async fn look(reader: &Reader) -> Vec<Finding> {
    let mut own = reader.afresh();
    let (mail, slack) = (MailSettings::read(&mut own), SlackSettings::read(&mut own));
    if own.finish(()).is_err() {
        return vec![Finding::skipped("notices")];
    }
    if mail.is_none() && slack.is_none() {
        let fix = "set SMTP_URL, MAIL_FROM and ADMIN_EMAIL, or SLACK_WEBHOOK_URL (docs/SETTINGS.md)";
        return vec![Finding::warn(
            "notices",
            "neither mail nor Slack is set up: trouble is only logged",
            fix,
        )];
    }
    let mut findings = Vec::new();
    if let Some(settings) = mail {
        findings.push(smtp(&settings).await);
    }
    if slack.is_some() {
        findings.push(Finding::ok(
            "slack",
            "set up; only a first message shows whether Slack accepts it",
        ));
    }
    findings
}

/// As far as a session goes without a message.
async fn smtp(settings: &MailSettings) -> Finding {
    const CHECK: &str = "smtp";
    let server = format!("{}:{}", settings.host, settings.port);
    let mail = match Mail::new(settings) {
        Ok(mail) => mail,
        Err(problems) => return Finding::fail(CHECK, problems.to_string(), "correct these settings"),
    };
    match mail.check().await {
        Ok(()) if settings.login.is_some() => {
            Finding::ok(CHECK, format!("{server} accepts our sign-in; nothing was sent"))
        }
        Ok(()) => Finding::ok(CHECK, format!("{server} answers; nothing was sent")),
        Err(failure) => {
            let fix =
                "correct SMTP_URL, SMTP_TLS, SMTP_CA_FILE, SMTP_USERNAME or SMTP_PASSWORD; notices wait meanwhile";
            Finding::fail(CHECK, format!("{server}: {}", failure.message), fix)
        }
    }
}
