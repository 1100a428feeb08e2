//! Gateways, Redis and MongoDB die while clients use them, and nothing that was acknowledged is lost: the history that each
//! client recorded is checked at every answer, and as a whole at the end.

mod client;

use crate::support::agent::Agent;
use crate::support::api_client::ApiClient;
use crate::support::fault_proxy::FaultProxy;
use crate::support::gateway::PASSWORD;
use crate::support::mongo_server::MongoServer;
use crate::support::program::{Program, run};
use crate::support::redis_server::RedisServer;
use crate::support::until;
use client::{Claim, Client, Random, Site, can_sign_in};
use rustix::process::Signal;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// Everything is derived from it.
const SEED: u64 = 20_260_101;
const CLIENTS: usize = 8;
/// Operations that must have been answered for good.
const OPERATIONS: usize = 1000;

/// What is done to the machines, in this order, spread over the operations.
const FAULTS: &[Fault] = &[
    Fault::KillGateway(0),
    Fault::KillRedis,
    Fault::CutMongo,
    Fault::CutRedis,
    Fault::StopMongo,
    Fault::KillGateway(1),
    Fault::KillRedis,
    Fault::CutMongo,
    Fault::KillGatewayAndRedis(0),
    Fault::StopMongo,
    Fault::CutMongo,
    Fault::KillGateway(0),
    Fault::KillRedis,
    Fault::CutRedis,
    Fault::KillGatewayAndRedis(1),
];

#[derive(Clone, Copy, Debug)]
enum Fault {
    KillGateway(usize),
    KillRedis,
    CutRedis,
    StopMongo,
    CutMongo,
    KillGatewayAndRedis(usize),
}

/// Two gateways, as processes of their own, on one Redis and one MongoDB.
struct Machines {
    folder: TempDir,
    gateways: Vec<Program>,
    redis: RedisServer,
    to_redis: FaultProxy,
    mongo: Option<MongoServer>,
    to_mongo: FaultProxy,
    site: Arc<Site>,
}

impl Machines {
    async fn start() -> Self {
        let folder = TempDir::with_prefix("portcullis-test-").unwrap();
        let redis = RedisServer::start_durable();
        let mongo = MongoServer::start_with_file(0, &folder.path().join("users.h2"));
        let (to_redis, to_mongo) = (FaultProxy::start(redis.port()).await, FaultProxy::start(mongo.port()).await);
        let yaml = format!(
            "server: {{ listen: ['127.0.0.1:0'], threads: 1 }}\n\
             admin: {{ listen: '127.0.0.1:0' }}\n\
             secret: not-much-of-a-secret-but-long-enough-for-tests\n\
             stores: {{ users: 'mongodb://127.0.0.1:{}/gate', sessions: 'redis://127.0.0.1:{}' }}\n\
             accounts: {{ registration: open, lockout: {{ failures: 0 }} }}\n\
             rate_limit: {{ attempts: 0, per_client: 0 }}\n\
             routes: [{{ upstream: sample }}]\n",
            to_mongo.port(),
            to_redis.port()
        );
        std::fs::write(folder.path().join("portcullis.yaml"), yaml).unwrap();
        let site = Site { origins: Mutex::default(), acknowledged: 0.into(), left_open: 0.into(), claims: Mutex::default() };
        let mut machines = Self { folder, gateways: Vec::new(), redis, to_redis, mongo: Some(mongo), to_mongo, site: Arc::new(site) };
        for _ in 0..2 {
            let (gateway, origin) = machines.gateway().await;
            machines.gateways.push(gateway);
            machines.site.origins.lock().unwrap().push(origin);
        }
        machines
    }

    async fn gateway(&self) -> (Program, String) {
        let mut gateway = Program::start(self.folder.path(), &["serve"]);
        let origin = gateway.announced(&["listening", "admin"]).await["listening"].clone();
        (gateway, origin)
    }

    /// Lets it happen and puts what it broke back into service.
    async fn suffer(&mut self, fault: Fault) {
        match fault {
            Fault::KillGateway(number) => {
                self.kill_gateway(number).await;
                self.replace_gateway(number).await;
            }
            Fault::KillRedis => {
                tokio::task::block_in_place(|| self.redis.kill());
                tokio::task::block_in_place(|| self.redis.start_again());
            }
            Fault::CutRedis => self.to_redis.cut(),
            Fault::CutMongo => self.to_mongo.cut(),
            Fault::StopMongo => {
                let server = self.mongo.take().expect("it runs");
                let (port, file) = (server.port(), self.folder.path().join("users.h2"));
                tokio::task::block_in_place(|| server.terminate());
                self.mongo = Some(tokio::task::block_in_place(|| MongoServer::start_with_file(port, &file)));
            }
            Fault::KillGatewayAndRedis(number) => {
                tokio::task::block_in_place(|| self.redis.kill());
                self.kill_gateway(number).await;
                tokio::task::block_in_place(|| self.redis.start_again());
                self.replace_gateway(number).await;
            }
        }
    }

    async fn kill_gateway(&mut self, number: usize) {
        self.gateways[number].signal(Signal::KILL);
        self.gateways[number].ended().await;
    }

    async fn replace_gateway(&mut self, number: usize) {
        let (gateway, origin) = self.gateway().await;
        self.gateways[number] = gateway;
        self.site.origins.lock().unwrap()[number] = origin;
    }

    fn origin(&self) -> String {
        self.site.origins.lock().unwrap()[0].clone()
    }

    /// Waits until so many operations are done, or a client has failed, which the test tells at its end.
    async fn wait_for(&self, operations: usize, clients: &[JoinHandle<Client>]) {
        until(&format!("{operations} operations"), async || {
            self.site.acknowledged.load(Ordering::Relaxed) >= operations || clients.iter().any(JoinHandle::is_finished)
        })
        .await;
    }

    /// Waits until a sign-in works at each gateway again: breakers have closed, connections are back.
    async fn recover(&self) {
        let origins = self.site.origins.lock().unwrap().clone();
        for origin in origins {
            let body = json!({ "username": "nobody-at-all", "password": PASSWORD });
            until("recovery", async || ApiClient::new(&origin).post("/auth/login", &body).await.status == 401).await;
        }
    }
}

/// S3.4, contract 3.9: `kill -9`, cut connections and orderly stops among 1,000 operations
#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_whoever_dies() {
    let mut machines = Machines::start().await;
    let mut doomed = Doomed::start(&machines).await;
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (mut client, stop) = (Client::new(&machines.site, number, SEED), Arc::clone(&stop));
            tokio::spawn(async move {
                client.begin().await;
                while !stop.load(Ordering::Relaxed) {
                    client.act().await;
                }
                client
            })
        })
        .collect();
    let mut random = Random(SEED);
    let mut due = 0;
    for fault in FAULTS {
        due += OPERATIONS / (FAULTS.len() + 1) - 10 + random.below(20);
        machines.wait_for(due, &clients).await;
        doomed.delete_one(&mut machines, *fault).await;
    }
    machines.wait_for(OPERATIONS, &clients).await;
    stop.store(true, Ordering::Relaxed);
    let mut survivors = Vec::new();
    for client in clients {
        survivors.push(client.await.expect("what was acknowledged to a client holds"));
    }
    assert_ne!(machines.site.left_open.load(Ordering::Relaxed), 0, "no fault met an operation, so nothing was tested");
    machines.recover().await;
    for client in &mut survivors {
        client.check().await;
    }
    check_claims(&machines).await;
    doomed.check(&machines).await;
}

/// Accounts that are deleted by command while things break.
struct Doomed {
    accounts: Vec<(String, ApiClient)>,
    deleted: usize,
}

impl Doomed {
    const ACCOUNTS: usize = 5;

    async fn start(machines: &Machines) -> Self {
        let mut accounts = Vec::new();
        for number in 0..Self::ACCOUNTS {
            let username = format!("doomed{number}");
            let mut client = ApiClient::new(&machines.origin());
            let new = json!({ "username": username, "email": format!("{username}@example.com"), "password": PASSWORD });
            assert_eq!(client.post("/auth/register", &new).await.status, 201);
            assert_eq!(client.post("/auth/login", &json!({ "username": username, "password": PASSWORD })).await.status, 200);
            accounts.push((username, client));
        }
        Self { accounts, deleted: 0 }
    }

    /// The fault, while one of the accounts, if there is one left, is being deleted.
    async fn delete_one(&mut self, machines: &mut Machines, fault: Fault) {
        let Some((username, _)) = self.accounts.get(self.deleted) else { return machines.suffer(fault).await };
        let folder = machines.folder.path().to_owned();
        // Whether the command gets through is left open here: it is given again at the end.
        let arguments = ["user", "delete", username, "--yes"];
        tokio::join!(run(&folder, &arguments, ""), machines.suffer(fault));
        self.deleted += 1;
    }

    /// No session outlives its account.
    async fn check(self, machines: &Machines) {
        let mut agent = Agent::new();
        for (username, client) in self.accounts {
            let again = run(machines.folder.path(), &["user", "delete", &username, "--yes"], "").await;
            let told = again.stderr.lines().last().unwrap_or_default();
            assert!(again.code == Some(0) || told.contains("no account has this name"), "{again:?}");
            let mut elsewhere = ApiClient::new(&machines.origin());
            elsewhere.agent.cookies = client.agent.cookies;
            assert_eq!(elsewhere.get("/wiki").await.status, 401, "a session of {username}, who is gone");
            assert_eq!(can_sign_in(&mut agent, &machines.origin(), &username, PASSWORD).await.0, 401, "{username} is gone");
        }
    }
}

/// Of each name that several wanted there is one whole account or none at all.
async fn check_claims(machines: &Machines) {
    let claims = std::mem::take(&mut *machines.site.claims.lock().unwrap());
    let mut by_name: BTreeMap<String, Vec<Claim>> = BTreeMap::new();
    for claim in claims {
        by_name.entry(claim.username.clone()).or_default().push(claim);
    }
    assert!(!by_name.is_empty(), "nobody wanted any name, so nothing was tested");
    let (mut agent, origin) = (Agent::new(), machines.origin());
    for (username, claims) in by_name {
        let mut owners = Vec::new();
        for claim in claims.iter().filter(|claim| claim.status != Some(409)) {
            let (status, email) = can_sign_in(&mut agent, &origin, &username, &claim.password).await;
            assert!(status == 200 || claim.status.is_none(), "the acknowledged registration of {username} is lost");
            if status == 200 {
                assert_eq!(email.as_deref(), Some(claim.email.as_str()), "{username} has the address of its owner");
                owners.push(&claim.email);
            }
        }
        assert!(owners.len() <= 1, "{username} belongs to {owners:?}");
        let statuses: Vec<_> = claims.iter().map(|claim| claim.status).collect();
        assert!(!owners.is_empty() || !statuses.contains(&Some(409)), "{username} was taken and belongs to nobody: {statuses:?}");
        if owners.is_empty() {
            let claim = &claims[0];
            let new = json!({ "username": username, "email": claim.email, "password": PASSWORD });
            let answer = ApiClient::new(&origin).post("/auth/register", &new).await;
            assert_eq!(answer.status, 201, "{username} is neither an account nor free: {}", answer.text());
        }
    }
}
