//! Ways round the question: a redirect that the proxy follows itself, a verify endpoint that visitors reach, and the
//! application's own address.

use super::front::Fault;
use super::report::Check;
use super::site::Site;
use super::wire::Server;
use url::Url;

/// A name that no address has (RFC 6761).
const ELSEWHERE: &str = "portcullis-doctor.invalid";

const ENDPOINTS: [&str; 9] = [
    "/verify",
    "/verify/",
    "/verify/nginx",
    "/verify/traefik",
    "/verify/caddy",
    "/verify/haproxy",
    "//verify/traefik",
    "/%76erify/traefik",
    "/x/../verify/traefik",
];

pub(super) async fn checks(site: &Site) -> Result<Vec<Check>, String> {
    Ok(vec![redirect(site).await?, verify(site).await?])
}

async fn redirect(site: &Site) -> Result<Check, String> {
    const NAME: &str = "the way to the login";
    let Some(closed) = &site.closed else {
        return Ok(Check::unknown(NAME, "no path that asks for a login was found", "name an address that asks for a login"));
    };
    let forged = format!("X-Forwarded-Host: {ELSEWHERE}\r\nX-Forwarded-Proto: https\r\nForwarded: host={ELSEWHERE}\r\n");
    for lines in ["", forged.as_str()] {
        let seen = site.navigate(closed, lines).await?;
        let status = seen.answer.status;
        if seen.reached || (200..300).contains(&status) {
            let what = format!("{closed} is answered with {status} where a browser must be sent to the login: the proxy followed it");
            return Ok(Check::fail(NAME, what, site.front.mend(Fault::Redirect)));
        }
        if seen.answer.header("location").is_some_and(|location| location.contains(ELSEWHERE)) {
            let what = "a forged X-Forwarded-Host or Forwarded is believed: the redirect names it";
            return Ok(Check::fail(NAME, what, site.front.mend(Fault::Redirect)));
        }
        if status >= 500 || seen.answer.is_silence() {
            let mend = "see the logs of the proxy and of the gateway";
            return Ok(Check::unknown(NAME, format!("{closed} is answered with {status}"), mend));
        }
    }
    Ok(Check::pass(NAME, format!("{closed} is refused, and no redirect is followed")))
}

async fn verify(site: &Site) -> Result<Check, String> {
    const NAME: &str = "verify endpoints";
    let cookie = site.session.as_ref().map(|session| session.line.as_str()).unwrap_or_default();
    let path = site.session.as_ref().and_then(|session| session.path.as_deref()).or(site.open.as_deref());
    let (asked, authority) = (path.unwrap_or("/"), site.server.authority());
    let lines = format!(
        "X-Forwarded-Method: GET\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: {authority}\r\nX-Forwarded-Uri: {asked}\r\nX-Forwarded-For: 127.0.0.1\r\nX-Original-URL: http://{authority}{asked}\r\nX-Original-Method: GET\r\n{cookie}"
    );
    let envoy = format!("/verify/envoy{asked}");
    for endpoint in ENDPOINTS.into_iter().chain([envoy.as_str()]) {
        let address = format!("{}{endpoint}", site.prefix);
        let seen = site.ask(&format!("GET {address}"), &lines).await?;
        // What the application answers says nothing of our endpoints.
        let answered = !seen.reached && (200..300).contains(&seen.answer.status);
        if answered || seen.answer.header("x-user").is_some() {
            let what = format!("{address} answers a visitor with {}", seen.answer.status);
            return Ok(Check::fail(NAME, what, site.front.mend(Fault::Verify)));
        }
    }
    if path.is_none() {
        let mend = "name somebody with --user, or an open path with --echo";
        return Ok(Check::unknown(NAME, "nothing is known that an endpoint would let pass, so a refusal says nothing", mend));
    }
    Ok(Check::pass(NAME, format!("none below {}/verify answers a visitor", site.prefix)))
}

/// Asks the application past the proxy.
pub(super) async fn upstream(url: &Url, site: &Site) -> Result<Check, String> {
    const NAME: &str = "the application past the proxy";
    const MEND: &str = "let it listen where only the proxy reaches it, on a loopback address or a network of their own";
    let wire = super::wire::Wire::new(None)?;
    let server = Server::of(url).ok_or("--upstream takes an http or https address without a name in it")?;
    if !wire.reaches(&server).await {
        return Ok(Check::pass(NAME, format!("{} cannot be reached from here", server.authority())));
    }
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nX-User: {}\r\nX-Doctor: seen\r\nConnection: close\r\n\r\n",
        url.path(),
        server.authority(),
        site.mark
    );
    Ok(match wire.exchange(&server, &request).await {
        Ok(answer) if answer.status < 400 || answer.body.contains(&site.mark) => Check::fail(
            NAME,
            format!("{} answers with {}: whoever asks there can claim to be anybody", server.authority(), answer.status),
            MEND,
        ),
        Ok(answer) if matches!(answer.status, 401 | 403) => {
            Check::pass(NAME, format!("{} refuses with {}", server.authority(), answer.status))
        }
        Ok(answer) => Check::unknown(NAME, format!("{} answers with {}", server.authority(), answer.status), MEND),
        Err(reason) => Check::unknown(NAME, format!("it can be connected to, but {reason}"), MEND),
    })
}
