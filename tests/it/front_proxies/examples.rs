//! The examples in `deploy` are what `snippet` prints of the configuration beside them. `PORTCULLIS_BLESS=1` writes them
//! anew.

use portcullis::config::load;
use portcullis::snippet::{self, FrontProxy, Part};
use std::fs;
use std::path::Path;

const EXAMPLES: [(&str, &str, FrontProxy, Part); 8] = [
    ("nginx", "portcullis.conf", FrontProxy::Nginx, Part::Config),
    ("traefik", "dynamic.yml", FrontProxy::Traefik, Part::Config),
    ("traefik", "labels.yml", FrontProxy::Traefik, Part::Labels),
    ("caddy", "Caddyfile", FrontProxy::Caddy, Part::Config),
    ("haproxy", "haproxy.cfg", FrontProxy::Haproxy, Part::Config),
    ("haproxy", "portcullis.lua", FrontProxy::Haproxy, Part::Lua),
    ("envoy", "envoy.yaml", FrontProxy::Envoy, Part::Config),
    ("kubernetes", "ingress.yaml", FrontProxy::IngressNginx, Part::Config),
];

/// contract 1
#[test]
fn the_examples_are_what_snippet_prints() {
    for (folder, name, proxy, part) in EXAMPLES {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(folder);
        let loaded = load(&folder.join("portcullis.yaml")).unwrap_or_else(|report| panic!("{report}"));
        let snippet = snippet::write(proxy, part, &loaded.settings, &[]).unwrap();
        assert_eq!(snippet.notes, Vec::<String>::new(), "{}", folder.display());
        let file = folder.join(name);
        if std::env::var_os("PORTCULLIS_BLESS").is_some() {
            fs::write(&file, &snippet.text).unwrap();
        }
        let example = fs::read_to_string(&file).unwrap_or_default();
        assert!(example == snippet.text, "{} is not what snippet prints, PORTCULLIS_BLESS=1 writes it anew", file.display());
    }
}
