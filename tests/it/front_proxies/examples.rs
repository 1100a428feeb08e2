//! The examples in `deploy` are what `snippet` prints of the configuration beside them. `PORTCULLIS_BLESS=1` writes them
//! anew.

use clap::Parser as _;
use portcullis::config::load;
use portcullis::snippet::{self, Wanted};
use std::fs;
use std::path::Path;

/// Folder, file, and what `snippet` is asked for.
const EXAMPLES: [(&str, &str, &str); 8] = [
    ("nginx", "portcullis.conf", "nginx"),
    ("traefik", "dynamic.yml", "traefik --gateway http://portcullis:8080"),
    ("traefik", "labels.yml", "traefik --part labels"),
    ("caddy", "Caddyfile", "caddy"),
    ("haproxy", "haproxy.cfg", "haproxy"),
    ("haproxy", "portcullis.lua", "haproxy --part lua"),
    ("envoy", "envoy.yaml", "envoy"),
    ("kubernetes", "ingress.yaml", "ingress-nginx"),
];

#[derive(clap::Parser)]
struct CommandLine {
    #[command(flatten)]
    wanted: Wanted,
}

/// C8, contract 1
#[test]
fn the_examples_are_what_snippet_prints() {
    for (folder, name, arguments) in EXAMPLES {
        let CommandLine { wanted } = CommandLine::parse_from(["snippet"].into_iter().chain(arguments.split(' ')));
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(folder);
        let loaded = load(&folder.join("portcullis.yaml")).unwrap_or_else(|report| panic!("{report}"));
        let snippet = snippet::write(&loaded.settings, &wanted).unwrap();
        assert_eq!(snippet.notes, Vec::<String>::new(), "{}", folder.display());
        let file = folder.join(name);
        if std::env::var_os("PORTCULLIS_BLESS").is_some() {
            fs::write(&file, &snippet.text).unwrap();
        }
        let example = fs::read_to_string(&file).unwrap_or_default();
        assert!(example == snippet.text, "{} is not what snippet prints, PORTCULLIS_BLESS=1 writes it anew", file.display());
    }
}
