//! Where the server is: at an address of its own, or where the Sentinels say that the master is.
//!
//! By Sentinel, `REDIS_URL` is `redis+sentinel://user:password@a:26379,b:26379,c:26379/mymaster/0`:
//! user, password and database are those of the server. Those of the Sentinels themselves are the
//! parameters `sentinel_user` and `sentinel_password`. With `rediss+sentinel://` both are called by
//! TLS.

use futures::FutureExt as _;
use futures::future::select_ok;
use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo as _, RedisError, RedisResult,
    TlsCertificates, TlsMode,
};
use secrecy::ExposeSecret as _;

use crate::QueueError;
use passerelle_model::config::{RedisSettings, shown_url};

/// The port of a Sentinel that is named without one.
const SENTINEL_PORT: u16 = 26_379;

/// Where the server is.
pub(crate) struct Address {
    way: Way,
    /// As it may be shown: without user, password and parameters.
    place: String,
    database: i64,
}

enum Way {
    Server(Box<Client>),
    Sentinels(Box<Sentinels>),
}

struct Sentinels {
    addresses: Vec<ConnectionAddr>,
    /// The name under which they watch the master.
    name: String,
    /// How to sign in to them.
    own: ConnectionInfo,
    /// How to sign in to the server that they name.
    server: ConnectionInfo,
    certificates: Option<TlsCertificates>,
}

impl Address {
    /// Reads `REDIS_URL` and `REDIS_CA_FILE`. Nothing is connected.
    pub(crate) fn of(settings: &RedisSettings) -> Result<Self, QueueError> {
        let url = settings.url.expose_secret();
        let certificates = certificates(settings)?;
        let place = shown_url(url);
        if let Some(url) = SentinelUrl::parse(url) {
            let sentinels = url.and_then(|url| Sentinels::of(&url, certificates))?;
            return Ok(Self {
                database: sentinels.server.redis_settings().db(),
                way: Way::Sentinels(Box::new(sentinels)),
                place,
            });
        }
        let info = info_of(url)?;
        let database = info.redis_settings().db();
        let client = match certificates {
            Some(certificates) if is_tls(info.addr()) => Client::build_with_tls(info, certificates),
            _ => Client::open(info),
        };
        Ok(Self {
            way: Way::Server(Box::new(client.map_err(unusable)?)),
            place,
            database,
        })
    }

    /// The server that takes writes, at present. Sentinels are asked anew each time, all at once:
    /// the first that names a master which says itself that it is one is believed. So a Sentinel
    /// that is away, or still names the old master, costs no time.
    pub(crate) async fn client(&self) -> RedisResult<Client> {
        match &self.way {
            Way::Server(client) => Ok((**client).clone()),
            Way::Sentinels(sentinels) => sentinels.master().await,
        }
    }

    /// As it may be shown.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// The number of the database.
    pub(crate) fn database(&self) -> i64 {
        self.database
    }
}

impl Sentinels {
    fn of(url: &SentinelUrl<'_>, certificates: Option<TlsCertificates>) -> Result<Self, QueueError> {
        let addresses = url.hosts.split(',').map(|host| {
            let info = info_of(&format!("{}{}", url.server_scheme, with_port(host)))?;
            Ok(info.addr().clone())
        });
        Ok(Self {
            addresses: addresses.collect::<Result<_, QueueError>>()?,
            name: url.name.to_owned(),
            own: info_of(&format!("{}{}localhost", url.server_scheme, url.own_user()))?,
            server: info_of(&format!("{}{}localhost/{}", url.server_scheme, url.user, url.database))?,
            certificates,
        })
    }

    async fn master(&self) -> RedisResult<Client> {
        let asked = self
            .addresses
            .iter()
            .map(|sentinel| self.master_by(sentinel.clone()).boxed());
        match select_ok(asked).await {
            Ok((client, _slower)) => Ok(client),
            Err(error) => {
                let why = format!("{:?}: {error}", self.name);
                Err(RedisError::from((
                    ErrorKind::Io,
                    "no Sentinel names a master that answers",
                    why,
                )))
            }
        }
    }

    async fn master_by(&self, sentinel: ConnectionAddr) -> RedisResult<Client> {
        let is_tls = is_tls(&sentinel);
        let server = self.server.redis_settings();
        let mut builder = SentinelClientBuilder::new([sentinel], &self.name, SentinelServerType::Master)?
            .set_client_to_redis_db(server.db())
            .set_client_to_redis_tcp_settings(TcpSettings::default().set_nodelay(true));
        if let Some(user) = server.username() {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = server.password() {
            builder = builder.set_client_to_redis_password(password);
        }
        if let Some(user) = self.own.redis_settings().username() {
            builder = builder.set_client_to_sentinel_username(user);
        }
        if let Some(password) = self.own.redis_settings().password() {
            builder = builder.set_client_to_sentinel_password(password);
        }
        if is_tls {
            builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
            if let Some(certificates) = &self.certificates {
                builder = builder
                    .set_client_to_redis_certificates(certificates.clone())
                    .set_client_to_sentinel_certificates(certificates.clone());
            }
        }
        builder.build()?.async_get_client().await
    }
}

/// The parts of a URL by Sentinel.
#[derive(Debug, PartialEq, Eq)]
struct SentinelUrl<'u> {
    /// `redis://` or `rediss://`.
    server_scheme: &'static str,
    /// `user:password@`, or empty.
    user: &'u str,
    /// Separated by commas.
    hosts: &'u str,
    name: &'u str,
    /// May be empty.
    database: &'u str,
    parameters: &'u str,
}

impl<'u> SentinelUrl<'u> {
    /// Takes it apart; `None` if it is no URL by Sentinel.
    fn parse(url: &'u str) -> Option<Result<Self, QueueError>> {
        let (scheme, rest) = url.split_once("+sentinel://")?;
        let server_scheme = match scheme {
            "redis" => "redis://",
            "rediss" => "rediss://",
            _ => return None,
        };
        let (rest, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let hosts_at = rest.rfind('@').map_or(0, |at| at + 1);
        let (user, rest) = rest.split_at(hosts_at);
        let mut parts = rest.split('/');
        let (hosts, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let database = parts.next().unwrap_or_default();
        if hosts.split(',').any(str::is_empty) || name.is_empty() || parts.next().is_some() {
            let form =
                "by Sentinel it is redis+sentinel://host:port,host:port/name-of-the-master, with /database if you like";
            return Some(Err(QueueError::Url(form.to_owned())));
        }
        Some(Ok(Self {
            server_scheme,
            user,
            hosts,
            name,
            database,
            parameters,
        }))
    }

    /// `user:password@` of the Sentinels themselves, or empty.
    fn own_user(&self) -> String {
        let parameter = |name: &str| {
            let mut pairs = self.parameters.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(known, _)| *known == name).map_or("", |(_, value)| value)
        };
        let (user, password) = (parameter("sentinel_user"), parameter("sentinel_password"));
        if password.is_empty() {
            String::new()
        } else {
            format!("{user}:{password}@")
        }
    }
}

/// A host as it stands in a URL, with the usual port of a Sentinel if it names none.
fn with_port(host: &str) -> String {
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
    if has_port {
        host.to_owned()
    } else {
        format!("{host}:{SENTINEL_PORT}")
    }
}

fn info_of(url: &str) -> Result<ConnectionInfo, QueueError> {
    let info = url.into_connection_info().map_err(unusable)?;
    Ok(info.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}

fn is_tls(address: &ConnectionAddr) -> bool {
    matches!(address, ConnectionAddr::TcpTls { .. })
}

fn certificates(settings: &RedisSettings) -> Result<Option<TlsCertificates>, QueueError> {
    let Some(path) = &settings.ca_file else {
        return Ok(None);
    };
    let read = std::fs::read(path).map_err(|error| QueueError::Certificates(format!("{}: {error}", path.display())))?;
    Ok(Some(TlsCertificates {
        client_tls: None,
        root_cert: Some(read),
    }))
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
fn unusable(error: RedisError) -> QueueError {
    QueueError::Url(error.to_string())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn of(url: &str) -> Result<Address, QueueError> {
        Address::of(&RedisSettings::at(url))
    }

    fn sentinels(url: &str) -> Sentinels {
        let Way::Sentinels(sentinels) = of(url).unwrap().way else {
            panic!("{url} is not by Sentinel");
        };
        *sentinels
    }

    #[test]
    fn a_url_by_sentinel_names_the_sentinels_the_master_and_both_users() {
        let url =
            "rediss+sentinel://bridge:p%40ss@a:1,[::1],c/mymaster/2?sentinel_user=watch&sentinel_password=w%2Ford";
        let address = of(url).unwrap();
        assert_eq!(address.place(), "rediss+sentinel://a:1,[::1],c/mymaster/2");
        assert_eq!(address.database(), 2);
        let sentinels = sentinels(url);
        let places: Vec<String> = sentinels.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(places, ["a:1", "::1:26379", "c:26379"]);
        assert!(sentinels.addresses.iter().all(is_tls));
        assert_eq!(sentinels.name, "mymaster");
        let server = sentinels.server.redis_settings();
        assert_eq!((server.username(), server.password()), (Some("bridge"), Some("p@ss")));
        let own = sentinels.own.redis_settings();
        assert_eq!((own.username(), own.password()), (Some("watch"), Some("w/ord")));
    }

    #[test]
    fn without_users_and_database_nobody_signs_in() {
        let sentinels = sentinels("redis+sentinel://a,b/mymaster");
        assert_eq!(sentinels.server.redis_settings().password(), None);
        assert_eq!(sentinels.own.redis_settings().password(), None);
        assert_eq!(sentinels.server.redis_settings().db(), 0);
        assert!(!sentinels.addresses.iter().any(is_tls));
    }

    #[rstest]
    #[case::no_name("redis+sentinel://a:1,b:2")]
    #[case::an_empty_name("redis+sentinel://a:1/")]
    #[case::an_empty_host("redis+sentinel://a:1,,b:2/mymaster")]
    #[case::too_much("redis+sentinel://a:1/mymaster/0/1")]
    #[case::a_port_that_is_none("redis+sentinel://a:port/mymaster")]
    #[case::a_database_that_is_none("redis+sentinel://a:1/mymaster/first")]
    #[case::another_scheme("http+sentinel://a:1/mymaster")]
    fn a_url_by_sentinel_that_cannot_be_meant_is_refused_without_its_password(#[case] url: &str) {
        let url = url.replace("://", "://me:geheimwort@");
        let refused = of(&url).err().unwrap().to_string();
        assert!(refused.starts_with("REDIS_URL is not usable: "), "{refused}");
        assert!(!refused.contains("geheim"), "{refused}");
    }

    #[test]
    fn a_file_of_certificates_that_is_not_there_is_named() {
        let settings = RedisSettings {
            ca_file: Some("/nowhere/ca.pem".into()),
            ..RedisSettings::at("rediss://a:1")
        };
        let refused = Address::of(&settings).err().unwrap().to_string();
        assert!(
            refused.starts_with("REDIS_CA_FILE cannot be used: /nowhere/ca.pem"),
            "{refused}"
        );
    }
}
