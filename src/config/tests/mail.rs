//! `email`: transports, senders, logins, and what is risky.

use super::*;

const NAMED: &str = "portal: {url: 'https://auth.example.com'}\n";

fn server(transport: &str) -> SmtpServer {
    match settings(&format!("{NAMED}email: {{from: a@example.com, transport: '{transport}'}}")).email.transport {
        Some(MailTransport::Smtp(server)) => server,
        other => panic!("{transport}: {other:?}"),
    }
}

/// Contract 2, `email.transport`
#[test]
fn a_mail_server_is_named_by_its_address() {
    for (transport, shown, tls) in [
        ("smtp://mail.example.com:2525", "mail.example.com:2525", SmtpTls::Required),
        ("smtp://mail.example.com", "mail.example.com:587", SmtpTls::Required),
        ("smtp://mail.example.com:25?tls=none", "mail.example.com:25", SmtpTls::None),
        ("smtps://[::1]:465/", "[::1]:465", SmtpTls::Implicit),
        ("smtps://Mail.Example.com", "mail.example.com:465", SmtpTls::Implicit),
    ] {
        let server = server(transport);
        assert_eq!((server.to_string().as_str(), server.tls), (shown, tls), "{transport}");
        assert!(server.login.is_none());
    }
}

#[test]
fn a_folder_is_relative_to_the_configuration_file() {
    let email = settings(&format!("{NAMED}email: {{transport: 'file:mails'}}")).email;
    assert!(matches!(email.transport, Some(MailTransport::File(folder)) if folder == Path::new("/etc/gate/mails")));
}

/// S4.11: a message never repeats what may hold a password
#[test]
fn a_transport_that_cannot_be_used_is_told_without_repeating_it() {
    for (transport, told) in [
        ("hunter2", "is no way for mails that is known here"),
        ("sendmail:/usr/sbin/sendmail", "is no way for mails"),
        ("smtp://user:hunter2@mail.example.com", "belongs into email.username and email.password"),
        ("smtp://", "names no server"),
        ("smtp://hunter2:x", "names no server"),
        ("smtps://mail.example.com?tls=none", "takes nothing after the host but ?tls=none with smtp://"),
        ("smtp://mail.example.com?tls=hunter2", "takes nothing after the host"),
        ("file:", "names no folder"),
        ("file://hunter2", "names no folder"),
    ] {
        let problems = problems_with(&format!("{ROUTES}{NAMED}email: {{transport: '{transport}'}}"), &[]);
        assert!(
            problems.len() == 1 && problems[0].contains("email.transport: ") && problems[0].contains(told),
            "{transport}: {problems:?}"
        );
        assert!(!problems[0].contains("hunter2"), "{problems:?}");
    }
}

#[test]
fn a_sender_is_an_address_with_or_without_a_name() {
    let from = |text: &str| settings(&format!("email: {{from: {text}}}")).email.from;
    let with_name = from("'Zoë’s Wiki <no-reply@example.com>'");
    assert_eq!((with_name.name.as_deref(), with_name.address.as_str()), (Some("Zoë’s Wiki"), "no-reply@example.com"));
    let quoted = from("'\"Wiki, Inc.\" <no-reply@example.com>'");
    assert_eq!(quoted.name.as_deref(), Some("Wiki, Inc."));
    assert_eq!(from("no-reply@example.com").name, None);
    for wrong in ["'Wiki'", "'Wiki <>'", "'Wiki <a@b> <c@d>'", "\"a\\r\\nBcc: x@y <c@d>\"", "'a@b <c@d>'"] {
        check_after_route(&format!("email: {{from: {wrong}}}"), &["2:15: email.from: "]);
    }
}

/// Contract 2: the password from a file, too
#[test]
fn a_login_has_a_name_and_a_password_or_neither() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password"), "hunter2\n").unwrap();
    let file = folder.path().join("password").display().to_string();
    let yaml = format!("{ROUTES}{NAMED}email: {{transport: 'smtps://mail.example.com', from: a@example.com, username: gate}}");
    let loaded = loaded_with(&yaml, &[("PORTCULLIS__EMAIL__PASSWORD__FILE", file.as_str())]);
    let Some(MailTransport::Smtp(server)) = &loaded.settings.email.transport else { panic!("no server") };
    let (username, password) = server.login.as_ref().unwrap();
    assert_eq!((username.as_str(), password.expose()), ("gate", "hunter2"));
    assert!(!format!("{:?}", loaded.settings.email).contains("hunter2"));
    check_after_route("email: {username: gate}", &["2:19: email.username: stands here without email.password"]);
    check_after_route("email: {password: hunter2}", &["2:19: email.password: stands here without email.username"]);
}

#[test]
fn links_in_mails_need_an_address_to_begin_with() {
    let file = "email: {transport: 'file:mails'}";
    check_after_route(file, &["2:20: email.transport: mails hold links"]);
    settings(&format!("{NAMED}{file}"));
    loaded_with(&format!("routes: [{{host: app.test, upstream: sample}}]\n{file}"), &[]);
    check(&format!("routes: [{{host: '*.app.test', upstream: sample}}]\n{file}"), &["2:20: email.transport: mails hold links"]);
}

#[test]
fn mails_go_to_the_log_only_where_nobody_else_reaches_the_gateway() {
    let log = format!("{NAMED}email: {{transport: log}}");
    check_after_route(&log, &["3:20: email.transport: writes links that let people in to the log"]);
    for listen in ["'127.0.0.1:8080', '[::1]:8080'", "'unix:/run/gate.sock'"] {
        settings(&format!("server: {{listen: [{listen}]}}\n{log}"));
    }
    check_after_route(&format!("server: {{listen: ['127.0.0.1:1', '192.0.2.1:1']}}\n{log}"), &["4:20: email.transport: writes links"]);
}

/// threats.md E05
#[test]
fn a_password_never_crosses_the_network_unencrypted() {
    let with_login =
        |server: &str| format!("{NAMED}email: {{transport: '{server}?tls=none', from: a@example.com, username: a, password: b}}");
    check_after_route(&with_login("smtp://mail.example.com"), &["3:20: email.transport: would send email.password across the network"]);
    settings(&with_login("smtp://127.0.0.1:25"));
    settings(&with_login("smtp://localhost:25"));
}

#[test]
fn risky_mail_settings_are_warned_of() {
    for (email, told) in [
        ("{transport: 'smtp://mail.example.com?tls=none', from: a@example.com}", "email.transport: mails cross the network unencrypted"),
        ("{transport: 'smtp://mail.example.com'}", "email.from: mail servers refuse senders at localhost"),
        ("{transport: 'file:mails'}", "email.transport: mails are written to files and reach nobody"),
        ("{username: a, password: b}", "email.username: has no effect"),
    ] {
        let warnings = loaded_with(&format!("{ROUTES}{NAMED}email: {email}"), &[]).warnings;
        assert!(warnings.iter().any(|warning| warning.to_string().contains(told)), "{email}: {warnings:?}");
    }
}
