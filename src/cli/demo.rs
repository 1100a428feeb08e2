//! `portcullis demo`: everything embedded, nothing to install, nothing left behind.

use super::Failure;
use super::serve::{Serving, serve};
use crate::account::Password;
use crate::administration::AddedAccount;
use crate::app::App;
use crate::config::{MailTransport, Settings, load_str};
use crate::entropy::random_bytes;
use crate::host::Host;
use crate::portal::DEMO_MAIL;
use crate::server::{BoundAddress, Running};
use base64::Engine as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

/// Name of the demo's user.
const USERNAME: &str = "demo";

/// Runs the demo at `listen`.
pub(super) fn run(listen: &str) -> Result<(), Failure> {
    let folder = tempfile::Builder::new()
        .prefix("portcullis-demo-")
        .tempdir()
        .map_err(|error| format!("cannot make a temporary folder: {error}"))?;
    let settings = settings(listen, folder.path())?;
    let result = serve(Serving { settings, file: None }, announce);
    folder.close().map_err(|error| format!("cannot remove the temporary folder: {error}"))?;
    result
}

fn settings(listen: &str, folder: &Path) -> Result<Settings, String> {
    // A JSON text is a YAML flow scalar, so an odd address is refused as an address and never read as YAML.
    let listen = serde_json::Value::from(listen);
    let yaml = format!(
        "server: {{ listen: [{listen}] }}\n\
         portal: {{ landing: / }}\n\
         accounts: {{ registration: open }}\n\
         log: {{ level: warn, access: false }}\n\
         routes: [{{ path: /, upstream: sample }}]\n\
         access: {{ default: authenticated, rules: [{{ path: /public, allow: public }}] }}\n"
    );
    let mut settings = load_str(&yaml, folder, &[]).map_err(|report| report.to_string())?.settings;
    settings.admin = None;
    settings.email.transport = Some(MailTransport::Catcher);
    let hosts = settings.server.listen.iter().filter_map(|address| match address {
        crate::config::ListenAddress::Tcp(address) => Host::parse(&address.ip().to_string()),
        crate::config::ListenAddress::Unix(_) => None,
    });
    settings.local_hosts_only = Some(hosts.collect());
    Ok(settings)
}

async fn announce(running: &Running, app: &Arc<App>) -> Result<(), String> {
    let password = random_password();
    let user = AddedAccount {
        username: USERNAME.to_owned(),
        email: "demo@example.com".to_owned(),
        groups: vec![app.settings.accounts.admin_group.clone()],
        password: Password::new(password.clone()),
    };
    app.administration.add(user).await.map_err(|error| format!("cannot make the demo's user: {error}"))?;
    let url = running.addresses().iter().find_map(BoundAddress::tcp).map_or_else(String::new, |address| format!("http://{address}/"));
    let mails = format!("{}{DEMO_MAIL}", url.trim_end_matches('/'));
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "Portcullis demo: a sample application behind a login. Ctrl-C ends it and leaves nothing behind.\n\
         Mails leave for nowhere: they are printed here, and listed at {mails}\n\
         url: {url}\nusername: {USERNAME}\npassword: {password}"
    )
    .and_then(|()| out.flush())
    .map_err(|error| format!("cannot print the address: {error}"))
}

/// 96 random bits as text that the password rule takes: one draw in fifteen has no digit.
fn random_password() -> String {
    let draw = || base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random_bytes::<12>());
    let is_good = |text: &String| {
        let has = |kind: fn(&u8) -> bool| text.as_bytes().iter().any(kind);
        has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit)
    };
    std::iter::repeat_with(draw).find(is_good).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::PasswordProfile;
    use crate::config::HashAlgorithm;

    #[test]
    fn every_password_of_a_demo_is_one_that_its_rule_takes() {
        for _ in 0..2_000 {
            let password = Password::new(random_password());
            assert_eq!(PasswordProfile::Classic.check(&password, &[USERNAME], HashAlgorithm::Argon2id), Ok(()));
        }
    }
}
