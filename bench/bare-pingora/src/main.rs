//! A pass-through proxy with nothing of ours in it: what a request costs in Pingora itself.
//! `bare-pingora LISTEN UPSTREAM THREADS`, addresses as `127.0.0.1:8080`.

use async_trait::async_trait;
use pingora::Result;
use pingora::prelude::{HttpPeer, ProxyHttp, Session, http_proxy_service};
use pingora::server::Server;
use pingora::server::configuration::ServerConf;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct PassThrough {
    upstream: String,
}

#[async_trait]
impl ProxyHttp for PassThrough {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _session: &mut Session, _context: &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(&self.upstream, false, String::new())))
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, upstream, threads] = arguments.as_slice() else {
        eprintln!("usage: bare-pingora LISTEN UPSTREAM THREADS");
        std::process::exit(2);
    };
    let threads = threads.parse().expect("THREADS is a number");
    let conf = ServerConf { threads, grace_period_seconds: Some(0), graceful_shutdown_timeout_seconds: Some(1), ..ServerConf::default() };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, PassThrough { upstream: upstream.clone() });
    service.add_tcp(listen);
    server.add_service(service);
    server.run_forever();
}
