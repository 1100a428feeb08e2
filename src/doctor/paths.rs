//! Ways of writing a path or a method, and headers that name another: nothing of them opens what asks for a login.

use super::front::Fault;
use super::report::Check;
use super::site::Site;

const NAME: &str = "paths and methods";

/// Where `{p}` is a path that asks for a login, without its first slash, and `{o}` the folder of one that does not.
const TRICKS: [&str; 26] = [
    "/{p}",
    "//{p}",
    "///{p}",
    "/./{p}",
    "/{o}/../{p}",
    "/{o}/%2e%2e/{p}",
    "/{o}/.%2e/{p}",
    "/{o}/..;/{p}",
    "/{o};/../{p}",
    "/{o}%2f..%2f{p}",
    "/{o}/..%2f{p}",
    "/{o}\\..\\{p}",
    "/{o}/%5c../{p}",
    "/%2e/{p}",
    "/{p};x=1",
    "/{p}/;/",
    "/{p}%00",
    "/{p}%00.css",
    "/{p}%2f",
    "/{p}%23/{o}/x",
    "/{p}#/{o}/x",
    "{v}/../{p}",
    "{v}/%2e%2e/{p}",
    "{v}/..;/{p}",
    "{v}//../{p}",
    "{v}%2f..%2f{p}",
];

const METHODS: [&str; 4] = ["POST", "OPTIONS", "PUT", "FOO"];

pub(super) async fn checks(site: &Site) -> Result<Vec<Check>, String> {
    let Some(closed) = &site.closed else {
        let mend = "name an address that asks for a login";
        return Ok(vec![Check::unknown(NAME, "no path that asks for a login was found", mend)]);
    };
    let mut unseen = Vec::new();
    let mut requests = 0;
    for (start, lines) in attacks(site, closed) {
        let seen = site.ask(&start, &lines).await?;
        requests += 1;
        let shown = if lines.is_empty() { start } else { format!("{start} with {}", lines.trim_end().replace("\r\n", ", ")) };
        if seen.reached {
            return Ok(vec![Check::fail(NAME, format!("{shown} reaches the application without a login"), site.front.mend(Fault::Paths))]);
        }
        if (200..300).contains(&seen.answer.status) {
            unseen.push(shown);
        }
    }
    if let Some(shown) = unseen.first() {
        let seen = format!("{shown} is answered with success, and it cannot be seen by whom");
        return Ok(vec![Check::unknown(NAME, seen, "name a page that echoes the headers of requests with --echo")]);
    }
    Ok(vec![Check::pass(NAME, format!("{requests} ways of asking for {closed} reach nothing"))])
}

/// Method and target, and further lines.
fn attacks(site: &Site, closed: &str) -> Vec<(String, String)> {
    let protected = closed.trim_start_matches('/');
    let open = site.open.as_deref().unwrap_or("/public").trim_start_matches('/');
    let folder = open.split('/').next().filter(|folder| !folder.is_empty()).unwrap_or("public");
    let written = |trick: &str| trick.replace("{p}", protected).replace("{o}", folder).replace("{v}", &site.prefix);
    let tricks = TRICKS.into_iter().map(|trick| (format!("GET {}", written(trick)), String::new()));
    let methods = METHODS.into_iter().map(|method| (format!("{method} {closed}"), "Content-Length: 0\r\n".to_owned()));
    let authority = site.server.authority();
    let claims = [
        format!("X-Original-URL: /{open}\r\nX-Rewrite-URL: /{open}\r\n"),
        format!("X-Original-URL: http://{authority}/{open}\r\nX-Original-Method: GET\r\n"),
        format!("X-Forwarded-Uri: /{open}\r\nX-Forwarded-Host: {authority}\r\nX-Forwarded-Method: GET\r\n"),
        "X-Forwarded-Method: OPTIONS\r\nX-HTTP-Method-Override: OPTIONS\r\nX-Method-Override: OPTIONS\r\n".to_owned(),
        "X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\n".to_owned(),
    ];
    let claims = claims.into_iter().map(|lines| (format!("GET {closed}"), lines));
    tricks.chain(methods).chain(claims).collect()
}
