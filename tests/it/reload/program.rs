//! `SIGHUP` to the program itself, and what its log says.

use crate::support::raw::Raw;
use crate::support::served::Served;
use crate::support::upstream::EchoUpstream;
use crate::support::{program, within_patience};
use rustix::process::{Pid, Signal};
use tempfile::TempDir;

const LISTENERS: &str =
    "server: { listen: ['127.0.0.1:0'], threads: 2, timeouts: { drain_delay: DELAY } }\nadmin: { listen: '127.0.0.1:0' }\n";
const RELOADED: &str = "the configuration was reloaded";
const REFUSED: &str = "the configuration was not reloaded, what was in force stays";

struct Site {
    folder: TempDir,
    upstream: EchoUpstream,
    served: Served,
}

impl Site {
    async fn start(delay: &str, more: &str) -> Self {
        let (folder, upstream) = (TempDir::with_prefix("portcullis-test-").unwrap(), EchoUpstream::start().await);
        let served = Served::start(folder.path(), &configuration(&upstream, delay, more)).await;
        Self { folder, upstream, served }
    }

    fn write(&self, more: &str) {
        // Whole or not at all: the program may be reading.
        let (new, path) = (self.folder.path().join("new.yaml"), self.folder.path().join("portcullis.yaml"));
        std::fs::write(&new, configuration(&self.upstream, "0s", more)).unwrap();
        std::fs::rename(new, path).unwrap();
    }

    async fn status_of(&self, path: &str) -> u16 {
        let address = program::address(&self.served.origin);
        Raw::exchange(address, format!("GET {path} HTTP/1.1\r\nHost: app.test\r\n\r\n")).await.status()
    }

    async fn ready(&self, query: &str) -> (u16, serde_json::Value) {
        let address = program::address(&self.served.admin);
        let answer = Raw::exchange(address, format!("GET /readyz{query} HTTP/1.1\r\nHost: app.test\r\n\r\n")).await;
        (answer.status(), answer.json())
    }

    /// What the log says of requests for this path.
    fn lines<'a>(log: &'a str, path: &str) -> Vec<&'a str> {
        log.lines().filter(|line| line.contains(&format!("path=\"{path}\""))).collect()
    }
}

fn configuration(upstream: &EchoUpstream, delay: &str, more: &str) -> String {
    format!("{}routes: [{{ upstream: \"{}\" }}]\n{more}\n", LISTENERS.replace("DELAY", delay), upstream.origin())
}

/// Contract 2: rules and the level of the log; what is wrong is told with line and column, and stays without effect.
#[tokio::test(flavor = "multi_thread")]
async fn sighup_has_the_program_read_its_configuration_again() {
    let mut site = Site::start("0s", "access: { default: deny }\nlog: { level: warn }").await;
    assert_eq!(site.status_of("/at-warn").await, 403);
    site.write("access: { default: public }\nlog: { level: info }");
    site.served.signal(Signal::HUP);
    site.served.has_logged(RELOADED, 1).await;
    assert_eq!(site.status_of("/at-info").await, 200);

    site.write("access: { default: deny }\nlog: { level: loud }\nuii: {}");
    site.served.signal(Signal::HUP);
    let log = site.served.has_logged(REFUSED, 1).await;
    for problem in ["portcullis.yaml:5:15: log.level: ", "portcullis.yaml:6:1: uii: "] {
        assert!(log.lines().any(|line| line.contains("ERROR") && line.contains(problem)), "{problem}: {log}");
    }
    assert_eq!(site.status_of("/refused").await, 200);
    let (status, ready) = site.ready("?verbose").await;
    assert!(status == 200 && ready["checks"].to_string().contains("last_reload_refused"), "{ready}");

    site.write("access: { default: deny, tests: [{ url: 'http://app.test/', expect: public }] }");
    site.served.signal(Signal::HUP);
    let log = site.served.has_logged(REFUSED, 2).await;
    assert!(log.contains("portcullis.yaml:4:") && log.contains("access.tests[0]: expected public"), "{log}");
    assert_eq!(site.status_of("/refused").await, 200);

    site.write("access: { default: deny }\nlog: { access: false, format: json }\nsecret: 0123456789012345678901234567890123456789");
    site.served.signal(Signal::HUP);
    let log = site.served.has_logged(RELOADED, 2).await;
    for key in ["secret", "log.format"] {
        let told = |line: &&str| line.contains("takes effect at the next start") && line.contains(&format!("key=\"{key}\""));
        assert!(log.lines().any(|line| told(&line)), "{key}: {log}");
    }
    assert!(!log.contains("0123456789012345678901234567890123456789"), "{log}");
    assert_eq!(site.status_of("/unlogged").await, 403);
    assert_eq!(site.ready("").await.0, 200);
    let log = site.served.log().await;
    let lines = ["/at-warn", "/at-info", "/refused", "/unlogged"].map(|path| Site::lines(&log, path).len());
    assert_eq!(lines, [0, 1, 2, 0], "{log}");
}

/// Two that come together are one too many at most: the last file is the one in force.
#[tokio::test(flavor = "multi_thread")]
async fn signals_that_come_together_leave_the_last_configuration_in_force() {
    let mut site = Site::start("0s", "access: { default: deny }").await;
    for round in 1..=5 {
        site.write("access: { default: deny }");
        site.served.signal(Signal::HUP);
        site.write("access: { default: public }");
        site.served.signal(Signal::HUP);
        within_patience("the last configuration to take effect", async { while site.status_of("/x").await != 200 {} }).await;
        site.write("access: { default: deny }");
        site.served.signal(Signal::HUP);
        within_patience("the one after it to take effect", async { while site.status_of("/x").await != 403 {} }).await;
        site.served.has_logged(RELOADED, round).await;
    }
    let log = site.served.log().await;
    assert!(!log.contains("ERROR"), "{log}");
}

/// Contract 2: a stop is a stop, whatever comes then.
#[tokio::test(flavor = "multi_thread")]
async fn while_it_drains_sighup_changes_nothing_and_ends_nothing() {
    let mut site = Site::start("3s", "access: { default: public }").await;
    site.served.signal(Signal::TERM);
    within_patience("readiness to end", async { while site.ready("").await.0 != 503 {} }).await;
    site.write("access: { default: deny }");
    site.served.signal(Signal::HUP);
    site.served.has_logged("the configuration is not read again, the gateway is stopping", 1).await;
    assert_eq!(site.status_of("/late").await, 200);
    let log = site.served.ended().await;
    assert!(!log.contains(RELOADED), "{log}");
}

/// Threads and memory are those of one configuration, however many there were.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_reloads_leave_no_thread_and_no_memory_behind() {
    let mut site = Site::start("0s", "access: { default: public }").await;
    let mut reload = 0;
    let mut used = Vec::new();
    for rounds in [30, 100] {
        for _ in 0..rounds {
            reload += 1;
            site.write(&format!("access: {{ default: public }}\nui: {{ title: Number {reload} }}"));
            site.served.signal(Signal::HUP);
            site.served.has_logged(RELOADED, reload).await;
            assert_eq!(site.status_of("/auth/login").await, 200);
        }
        used.push(Used::by(site.served.id()));
    }
    let [before, after] = used[..] else { unreachable!() };
    // Threads that read files come and go, a few of them; one for each reload would be a hundred.
    assert!(after.threads < before.threads + 20, "{before:?} {after:?}");
    assert!(after.descriptors < before.descriptors + 20, "{before:?} {after:?}");
    // A configuration with its pages takes some 300 KiB.
    assert!(after.kilobytes < before.kilobytes + 16 * 1024, "{before:?} {after:?}");
}

/// What a process uses.
#[derive(Clone, Copy, Debug)]
struct Used {
    threads: usize,
    descriptors: usize,
    kilobytes: usize,
}

impl Used {
    fn by(process: Pid) -> Self {
        let folder = format!("/proc/{}", process.as_raw_nonzero());
        let entries = |below: &str| std::fs::read_dir(format!("{folder}/{below}")).unwrap().count();
        let status = std::fs::read_to_string(format!("{folder}/status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kilobytes = resident.trim().trim_end_matches(" kB").parse().unwrap();
        Self { threads: entries("task"), descriptors: entries("fd"), kilobytes }
    }
}
