//! The parts put together: data directory, store, ledger, policies, administrator, pages, gateway, operations. `up`,
//! `demo` and the end-to-end tests start this and nothing else.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use countersign_administrator::{
    AccountParts, Actor, Administrator, Bundle, Disclosure, Prover as _, ProviderParts, Settings,
};
use countersign_device::Authority;
use countersign_gateway as gateway;
use countersign_govern::Estate;
use countersign_identity::oidc::{HttpClient, ProviderSettings};
use countersign_identity::operator;
use countersign_identity::passkey::{Passkeys, Url};
use countersign_lease::Gate;
use countersign_ledger::{Ledger, Options as LedgerOptions};
use countersign_model::{Clock, CredentialSecret, SubjectId};
use countersign_policy::Symbols;
use countersign_store::{SqliteStore, Store};
use countersign_web as web;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::applied::{Applied, Configurator};
use crate::certificates::{Configured, Internal};
use crate::configuration::{Bridge, Configuration, Inventory, Listen, Provider, SecretPlace};
use crate::data_directory::{DataDirectory, Local, Lock, Running};
use crate::operations::Operations;
use crate::policies;
use crate::proofs::{Demand, Prover};
use crate::telemetry;

/// What is not in the configuration.
#[derive(Debug)]
pub struct Options {
    pub clock: Arc<dyn Clock>,
    pub metrics: PrometheusHandle,
    /// How long open exchanges may go on once it is to stop.
    pub drain: Duration,
}

/// A running Countersign. Dropping it stops nothing in an orderly way: call [`System::stop`].
#[derive(Debug)]
pub struct System {
    administrator: Administrator,
    estate: Estate,
    ledger: Ledger,
    store: Arc<dyn Store>,
    directory: DataDirectory,
    running: Running,
    addresses: Vec<SocketAddr>,
    stopping: watch::Sender<bool>,
    /// Whatever has to be over before the ledger is closed.
    tasks: Vec<JoinHandle<()>>,
    _lock: Lock,
}

/// In whose name the configuration file is put into force.
pub fn configuration_actor() -> anyhow::Result<Actor> {
    Ok(Actor { subject: SubjectId::service(operator::SUBJECT)?, decision: None })
}

impl System {
    pub async fn start(configuration: &Configuration, options: Options) -> anyhow::Result<Self> {
        let Options { clock, metrics, drain } = options;
        let directory = DataDirectory::create(&configuration.data_directory)?;
        let lock = directory.lock()?;
        let started = configuration.clone();
        let (configuration, sockets) = listen(configuration).await?;
        let configuration = &configuration;
        let origins = Origins::of(configuration);

        let policy_directory = configuration.policies_directory();
        if configuration.policies.is_none() {
            policies::write_starter(&policy_directory)?;
        }
        let symbols = Arc::new(Symbols::default());
        let applied = Applied::of(&directory);
        let policies = applied.policies(&policy_directory, &symbols)?;
        let prover = Arc::new(Prover::new(configuration.proofs, &directory.root().join("proofs"), Arc::clone(&clock)));
        if configuration.proofs == Demand::Require {
            let proofs = prover.prove(&policies).map_err(|reasons| anyhow::anyhow!(reasons.join("\n")))?;
            proofs.map(|proofs| policies.attach(proofs));
        }

        let store: Arc<dyn Store> =
            Arc::new(SqliteStore::open(&directory.store()).context("the store cannot be opened")?);
        let ledger = open_ledger(&directory, configuration)?;
        let authority = Arc::new(directory.authority(clock.now(), &configuration.organisation)?);
        let signer = directory.assertion_signer()?;
        let accounts = AccountParts {
            passkeys: Some(passkeys(configuration, &origins)?),
            operator: Some(directory.operator_signer()?.public_key().clone()),
            origins: origins.all(),
            device_authority: Some(Arc::clone(&authority)),
            providers: providers(configuration, &origins)?,
        };
        let administrator = Administrator::start(countersign_administrator::Parts {
            store: Arc::clone(&store),
            ledger: ledger.clone(),
            symbols,
            policies,
            settings: applied.settings(&started, &origins.public)?,
            clock: Arc::clone(&clock),
            accounts,
            node: configuration.node.clone(),
        })
        .context("the administrator does not start")?;
        administrator.prove_with(prover);
        let gate = Gate::new(Arc::new(administrator.clone()));

        let configurator =
            Configurator { administrator: administrator.clone(), applied, started, origin: origins.public.clone() };
        let web_settings = web::Settings {
            configure: Some(Arc::new(configurator)),
            jwks: signer.jwks(),
            providers: configuration
                .providers
                .iter()
                .map(|provider| web::ProviderButton { name: provider.id.clone(), label: provider.name.clone() })
                .collect(),
        };
        let gateway_settings = gateway_settings(
            configuration,
            &origins.public,
            Listening { gate: &gate, authority: &authority, clock: &clock, drain },
        )?;
        let estate = Estate::open(&directory.estate(), administrator.clone()).context("the estate cannot be kept")?;
        let parts = parts(administrator.clone(), estate.clone(), web_settings);
        let Sockets { gateway: sockets, operations } = sockets;
        let gateway = gateway::Gateway::on(sockets, gate, parts, signer, gateway_settings)?;
        let addresses = gateway.addresses();

        // Whether an owner can sign in is not said here: whoever starts the system says it, with the way in.
        let _unsaid = apply_inventory(&administrator, &directory, &configuration.inventory).await?;

        let running = Running {
            process: std::process::id(),
            origin: origins.public.clone(),
            local: local(&addresses, configuration),
            operations: operations.as_ref().map(Operations::address),
        };
        let (stopping, stop) = watch::channel(false);
        let mut tasks = Vec::new();
        tasks.push(tokio::spawn(telemetry::upkeep(metrics.clone(), stopped(stop.clone()))));
        tasks.push(tokio::spawn(gateway.serve(stopped(stop.clone()))));
        if let Some(operations) = operations {
            tasks.push(tokio::spawn(operations.serve(
                (administrator.clone(), estate.clone()),
                metrics,
                stopped(stop.clone()),
            )));
        }
        let governed = estate.clone();
        let stopping_estate = stop.clone();
        tasks.push(tokio::spawn(async move { governed.run(stopped(stopping_estate)).await }));
        let scheduled = administrator.clone();
        tasks.push(tokio::spawn(async move { scheduled.run(stopped(stop)).await }));
        let proving = administrator.clone();
        tokio::spawn(async move {
            if let Err(error) = proving.prove_in_force().await {
                tracing::error!("what became of the guardrails is not recorded: {error}");
            }
        });
        directory.announce(&running)?;
        Ok(Self { administrator, estate, ledger, store, directory, running, addresses, stopping, tasks, _lock: lock })
    }

    pub const fn administrator(&self) -> &Administrator {
        &self.administrator
    }

    pub const fn estate(&self) -> &Estate {
        &self.estate
    }

    pub const fn directory(&self) -> &DataDirectory {
        &self.directory
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The control host's origin, as a browser reaches it.
    pub fn origin(&self) -> &str {
        &self.running.origin
    }

    pub const fn running(&self) -> &Running {
        &self.running
    }

    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Takes nothing new, lets open exchanges finish, records the end and closes the ledger.
    pub async fn stop(self) {
        let Self { administrator, estate: _estate, ledger, directory, stopping, tasks, .. } = self;
        stopping.send_replace(true);
        for task in tasks {
            // A task that panicked has said so; stopping the others matters more.
            let _ = task.await;
        }
        administrator.stop().await;
        let _ = tokio::task::spawn_blocking(move || ledger.close()).await;
        directory.withdraw();
    }
}

/// What listens already, and is not served yet.
struct Sockets {
    gateway: Vec<TcpListener>,
    operations: Option<Operations>,
}

/// Listens before anything else, because origins have ports in them: with port 0 the system chooses one. Returns the
/// configuration with the ports as they are.
async fn listen(configuration: &Configuration) -> anyhow::Result<(Configuration, Sockets)> {
    let mut configuration = configuration.clone();
    let Listen { http, https, operations, .. } = &mut configuration.listen;
    let mut bridged = configuration.bridge.map(|bridge| bridge.listen);
    let mut gateway = Vec::new();
    // In the order of the gateway's listeners.
    for (key, address) in [("listen.http", http), ("listen.https", https), ("bridge.listen", &mut bridged)] {
        let Some(address) = address else { continue };
        let socket = TcpListener::bind(*address).await.with_context(|| {
            format!("cannot listen on {address} ({key} in the configuration): stop what does, or choose another port")
        })?;
        *address = socket.local_addr()?;
        gateway.push(socket);
    }
    if let (Some(bridge), Some(listen)) = (&mut configuration.bridge, bridged) {
        bridge.listen = listen;
    }
    let operations = match operations {
        Some(address) => Some(Operations::bind(*address).await?),
        None => None,
    };
    Ok((configuration, Sockets { gateway, operations }))
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The ledger of a data directory.
pub fn open_ledger(directory: &DataDirectory, configuration: &Configuration) -> anyhow::Result<Ledger> {
    let options = LedgerOptions::new(ledger_name(configuration), directory.ledger_key()?);
    Ledger::open(&directory.ledger(), options).context("the ledger cannot be opened")
}

/// The log's name stands in every checkpoint.
pub fn ledger_name(configuration: &Configuration) -> String {
    format!("{}/ledger", configuration.control_host)
}

/// The control host's origin as browsers reach it, as far as the configuration says.
pub fn control_origin(configuration: &Configuration) -> String {
    Origins::of(configuration).public
}

/// The control host's origins.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origins {
    public: String,
    http: Option<String>,
    https: Option<String>,
}

impl Origins {
    fn of(configuration: &Configuration) -> Self {
        let host = &configuration.control_host;
        let with_port = |scheme: &str, usual: u16, address: SocketAddr| match address.port() {
            port if port == usual => format!("{scheme}://{host}"),
            port => format!("{scheme}://{host}:{port}"),
        };
        let listen = &configuration.listen;
        let http = listen.http.map(|address| with_port("http", 80, address));
        let https = listen.https.map(|address| with_port("https", 443, address));
        // On localhost a browser trusts plain http and asks awkward questions about a certificate of our own making.
        let local = configuration.domain == "localhost" || configuration.domain.ends_with(".localhost");
        let preferred = if local { http.as_ref().or(https.as_ref()) } else { https.as_ref().or(http.as_ref()) };
        let public = listen.public_url.clone().or_else(|| preferred.cloned()).unwrap_or_default();
        Self { public, http, https }
    }

    fn all(&self) -> Vec<String> {
        let mut all = vec![self.public.clone()];
        all.extend(self.http.iter().chain(&self.https).filter(|origin| **origin != self.public).cloned());
        all
    }
}

fn local(addresses: &[SocketAddr], configuration: &Configuration) -> Local {
    // The gateway's listeners are http, if there is one, and then https.
    let encrypted = configuration.listen.http.is_none();
    let address = addresses.first().copied().unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
    let address = match address.ip() {
        ip if ip.is_unspecified() && ip.is_ipv6() => {
            SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), address.port())
        }
        ip if ip.is_unspecified() => SocketAddr::from(([127, 0, 0, 1], address.port())),
        _ => address,
    };
    Local { address, encrypted }
}

fn passkeys(configuration: &Configuration, origins: &Origins) -> anyhow::Result<Passkeys> {
    let urls = origins.all().iter().map(|origin| Url::parse(origin)).collect::<Result<Vec<_>, _>>()?;
    Passkeys::new(&configuration.control_host, &urls, &configuration.organisation)
        .context("passkeys cannot be used at this control host")
}

/// The administrator's settings, as the configuration means them.
pub fn settings(configuration: &Configuration, public_origin: &str) -> Settings {
    Settings {
        control_host: configuration.control_host.clone(),
        control_origin: public_origin.to_owned(),
        domain: configuration.domain.clone(),
        time_zone: configuration.time_zone.clone(),
        zones: configuration.zones.clone(),
        posture: configuration.posture.clone(),
        session_lifetime: configuration.session_lifetime,
        session_idle: configuration.session_idle,
        disclosure: if configuration.disclose_remedy { Disclosure::Remedy } else { Disclosure::None },
        shadow_one_in: configuration.shadow_one_in,
        policy_approval: configuration.policy_approval,
        longest_exception: configuration.longest_exception,
        max_in_flight: configuration.limits.requests_in_flight,
    }
}

fn providers(configuration: &Configuration, origins: &Origins) -> anyhow::Result<Vec<ProviderParts>> {
    configuration
        .providers
        .iter()
        .map(|provider| {
            let authority = provider.ca.as_ref().map(std::fs::read_to_string).transpose();
            let authority =
                authority.with_context(|| format!("the ca of the provider {} cannot be read", provider.id))?;
            Ok(ProviderParts {
                name: provider.id.clone(),
                settings: ProviderSettings {
                    issuer: provider.issuer.clone(),
                    client_id: provider.client_id.clone(),
                    client_secret: client_secret(provider)?,
                    redirect_uri: format!("{}/sign-in/federated/{}/callback", origins.public, provider.id),
                    scopes: provider.scopes.iter().filter(|scope| *scope != "openid").cloned().collect(),
                    methods: provider.methods.clone(),
                },
                provision: provider.provision.clone(),
                http: HttpClient::new(authority.as_deref())?,
            })
        })
        .collect()
}

fn client_secret(provider: &Provider) -> anyhow::Result<Option<CredentialSecret>> {
    let text = match &provider.client_secret {
        None => return Ok(None),
        Some(SecretPlace::File(path)) => std::fs::read_to_string(path).with_context(|| {
            format!("the client secret of the provider {} cannot be read from {}", provider.id, path.display())
        })?,
        Some(SecretPlace::Environment(name)) => std::env::var(name).with_context(|| {
            format!("the client secret of the provider {} is not in the variable {name}", provider.id)
        })?,
    };
    Ok(Some(CredentialSecret::new(text.trim())))
}

/// What the listeners need beside the configuration.
struct Listening<'a> {
    gate: &'a Gate,
    authority: &'a Arc<Authority>,
    clock: &'a Arc<dyn Clock>,
    drain: Duration,
}

fn gateway_settings(
    configuration: &Configuration,
    public_origin: &str,
    listening: Listening<'_>,
) -> anyhow::Result<gateway::Settings> {
    let Listening { gate, authority, clock, drain } = listening;
    let tls = || -> anyhow::Result<gateway::TlsSettings> {
        let certificates: Arc<dyn rustls::server::ResolvesServerCert> = match &configuration.tls {
            Some(files) => Arc::new(Configured::read(files)?),
            None => Arc::new(Internal::new(
                Arc::clone(authority),
                gate.clone(),
                configuration.control_host.clone(),
                Arc::clone(clock),
            )),
        };
        Ok(gateway::TlsSettings { certificates, client_verifier: Some(authority.client_verifier()?) })
    };
    let mut listeners = Vec::new();
    let applications = gateway::Purpose::Applications;
    if let Some(address) = configuration.listen.http {
        listeners.push(gateway::Listener { address, tls: None, purpose: applications });
    }
    if let Some(address) = configuration.listen.https {
        listeners.push(gateway::Listener { address, tls: Some(tls()?), purpose: applications });
    }
    if let Some(Bridge { listen: address, open, encrypted }) = configuration.bridge {
        let tls = if encrypted { Some(tls()?) } else { None };
        listeners.push(gateway::Listener { address, tls, purpose: gateway::Purpose::Decisions { open } });
    }
    let limits = &configuration.limits;
    let connections = crate::descriptors::connections();
    Ok(gateway::Settings {
        node: configuration.node.clone(),
        control_host: configuration.control_host.clone(),
        issuer: public_origin.to_owned(),
        listeners,
        trusted_proxies: configuration.listen.trusted_proxies.clone(),
        limits: gateway::Limits {
            header_bytes: limits.header_bytes,
            target_bytes: limits.target_bytes,
            body_bytes: Some(limits.body_bytes),
            header_timeout: limits.header_timeout,
            idle: limits.idle_timeout,
            upstream_connect: limits.connect_timeout,
            upstream_response: limits.response_timeout,
            max_in_flight: limits.requests_in_flight,
            max_connections: connections.in_all,
            max_connections_per_address: Some(connections.per_address),
            drain,
            ..gateway::Limits::default()
        },
        certificate_authorities: Some(configuration.data_directory.clone()),
        clock: Arc::clone(clock),
    })
}

/// The pages, as the gateway calls them.
fn parts(administrator: Administrator, estate: Estate, settings: web::Settings) -> gateway::Parts {
    let adapt = |(name, router): (String, axum::Router)| {
        let service = tower::ServiceExt::<hyper::Request<gateway::Body>>::map_response(
            router,
            |response: hyper::Response<axum::body::Body>| {
                response.map(|body| {
                    use http_body_util::BodyExt as _;
                    body.map_err(|error| gateway::BodyError::Part(error.to_string())).boxed_unsync()
                })
            },
        );
        (name, gateway::PartService::new(service))
    };
    web::parts(administrator, estate, settings).into_iter().map(adapt).collect::<HashMap<_, _>>()
}

/// Puts the file's inventory into force. A file without one leaves alone what `apply` put, unless the inventory came
/// from the file before: what is taken out of the file is taken out of the world, across a restart too. Returns what
/// deserves attention.
async fn apply_inventory(
    administrator: &Administrator,
    directory: &DataDirectory,
    inventory: &Inventory,
) -> anyhow::Result<Vec<String>> {
    let marker = directory.root().join("inventory-from-file");
    if *inventory == Inventory::default() && !marker.exists() {
        return Ok(Vec::new());
    }
    let report = administrator
        .apply(bundle(inventory), &configuration_actor()?, false)
        .await
        .context("the resources, subjects and groups of the configuration cannot be put into force")?;
    crate::data_directory::replace(&marker, b"")?;
    Ok(report.warnings)
}

/// The inventory as the administrator takes it.
pub fn bundle(inventory: &Inventory) -> Bundle {
    let Inventory { segments, groups, subjects, resources } = inventory.clone();
    Bundle { segments, groups, subjects, resources }
}

/// Puts an inventory that a file was read for into force again.
pub async fn reapply(system: &System, inventory: &Inventory) -> anyhow::Result<()> {
    for warning in apply_inventory(&system.administrator, &system.directory, inventory).await? {
        tracing::warn!("{warning}");
    }
    Ok(())
}
