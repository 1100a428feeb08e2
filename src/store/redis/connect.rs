//! Making a connection: which server, how to sign in, and whether it is one that works for us.

use super::server::ServerInfo;
use crate::config::{RedisAddress, RedisHost, RedisLogin, RedisServer};
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, IntoConnectionInfo as _, ProtocolVersion, PushInfo, PushKind,
    RedisConnectionInfo, RedisError, TlsMode,
};

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// For the log, without any password.
    pub(super) reason: String,
    /// Whether trying again is of no use before an operator has changed something.
    pub(super) lasting: bool,
}

/// Commands that may queue up in front of the socket before their callers wait.
const QUEUE: usize = 1024;

/// Makes connections to one address, one after the other.
pub(super) struct Connector {
    address: RedisAddress,
    /// Remembers its connections to Sentinels.
    sentinels: Option<SentinelClient>,
    connected_to: Option<ConnectionAddr>,
}

impl Connector {
    pub(super) fn new(address: RedisAddress) -> Self {
        Self { address, sentinels: None, connected_to: None }
    }

    /// Connects, signs in and looks whom we have met. `lost` is called when the connection ends.
    pub(super) async fn connect(&mut self, lost: impl Fn() + Send + Sync + 'static) -> Result<MultiplexedConnection, Fault> {
        let told = move |push: PushInfo| -> Result<(), ()> {
            if push.kind == PushKind::Disconnection {
                lost();
            }
            Ok(())
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUE)
            .set_push_sender(told);
        let client = self.client().await.map_err(|error| fault(&error))?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await.map_err(|error| fault(&error))?;
        match ServerInfo::ask(&mut connection).await {
            Ok(info) => info.refuse_what_does_not_work()?,
            Err(error) if error.code() == Some("NOPERM") => {}
            Err(error) => return Err(fault(&error)),
        }
        redis::cmd("PING").query_async::<()>(&mut connection).await.map_err(|error| fault(&error))?;
        self.connected_to = Some(client.get_connection_info().addr().clone());
        Ok(connection)
    }

    /// Whether Sentinels name another server by now. The former one may go on for a while without knowing, and what is
    /// written there is lost.
    pub(super) async fn has_moved(&mut self) -> bool {
        if self.sentinels.is_none() {
            return false;
        }
        let Ok(client) = self.client().await else { return false };
        self.connected_to.as_ref() != Some(client.get_connection_info().addr())
    }

    async fn client(&mut self) -> Result<Client, RedisError> {
        let address = &self.address;
        match &address.server {
            RedisServer::One(host) => {
                let info = host_address(host, address.tls).into_connection_info()?;
                Client::open(info.set_tcp_settings(tcp_settings()).set_redis_settings(redis_settings(address)))
            }
            RedisServer::Sentinels { hosts, service, login } => {
                let client = match self.sentinels.take() {
                    Some(client) => client,
                    None => sentinels(address, hosts, service, login)?.build()?,
                };
                self.sentinels.insert(client).async_get_client().await
            }
        }
    }
}

fn sentinels(address: &RedisAddress, hosts: &[RedisHost], service: &str, login: &RedisLogin) -> Result<SentinelClientBuilder, RedisError> {
    let hosts: Vec<_> = hosts.iter().map(|host| host_address(host, address.tls)).collect();
    let mut builder = SentinelClientBuilder::new(hosts, service, SentinelServerType::Master)?
        .set_client_to_redis_protocol(ProtocolVersion::RESP3)
        .set_client_to_redis_db(address.database)
        .set_client_to_redis_tcp_settings(tcp_settings());
    if address.tls {
        builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
    }
    if let Some(username) = &address.login.username {
        builder = builder.set_client_to_redis_username(username);
    }
    if let Some(password) = &address.login.password {
        builder = builder.set_client_to_redis_password(password.expose());
    }
    if let Some(username) = &login.username {
        builder = builder.set_client_to_sentinel_username(username);
    }
    if let Some(password) = &login.password {
        builder = builder.set_client_to_sentinel_password(password.expose());
    }
    Ok(builder)
}

fn host_address(RedisHost { host, port }: &RedisHost, tls: bool) -> ConnectionAddr {
    if tls {
        ConnectionAddr::TcpTls { host: host.clone(), port: *port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host.clone(), *port)
    }
}

fn tcp_settings() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

fn redis_settings(address: &RedisAddress) -> RedisConnectionInfo {
    let mut settings = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3).set_skip_set_lib_name().set_db(address.database);
    if let Some(username) = &address.login.username {
        settings = settings.set_username(username);
    }
    if let Some(password) = &address.login.password {
        settings = settings.set_password(password.expose());
    }
    settings
}

fn fault(error: &RedisError) -> Fault {
    let lasting = matches!(error.code(), Some("WRONGPASS" | "NOAUTH" | "NOPERM"))
        || matches!(error.kind(), ErrorKind::AuthenticationFailed | ErrorKind::RESP3NotSupported | ErrorKind::InvalidClientConfig);
    let reason = match error.kind() {
        ErrorKind::RESP3NotSupported => "it is older than Redis 6".to_owned(),
        _ => error.to_string(),
    };
    Fault { reason, lasting }
}
