//! Starts the detector in this process, and stops it in order.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use claviger_proto::FILE_DESCRIPTOR_SET;
use claviger_proto::v1::enrolment_server::EnrolmentServer;
use claviger_proto::v1::event_collector_server::EventCollectorServer;
use claviger_proto::v1::findings_server::FindingsServer;
use tokio::net::TcpListener;
use tokio::task::JoinHandle as Task;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic_health::server::HealthReporter;

use super::accept::{Accepted, accept};
use super::collector::{self, CollectorService};
use super::enrolment::{self, EnrolmentService};
use super::findings::FindingsService;
use super::hub::Hub;
use super::status::{self, SharedDatabase};
use super::stopping::{Alive, Ended, Stop, Stopping, life, stop};
use super::{Ingest, ServeError, opening, tls};
use crate::clock::{SharedClock, SystemClock};
use crate::config::Config;
use crate::enrol::{Authority, EnrolError, MadeToken, make_token, operator_identity, server_identity};
use crate::store::db::Database;
use crate::store::log::{Medium, OsMedium};
use crate::store::{DataDir, DirectoryLock};

/// How long open streams and the ingest thread have to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
const MAX_STREAMS: u32 = 32;

/// A detector that runs in this process.
#[derive(Debug)]
pub struct Handle {
    address: SocketAddr,
    directory: DataDir,
    authority: Arc<Authority>,
    clock: SharedClock,
    stop: Stop,
    server: Task<()>,
    ingest: JoinHandle<()>,
    /// Of the server and of the ingest thread.
    ended: [Ended; 2],
    /// Let go when all else has ended.
    _lock: DirectoryLock,
}

/// Starts a detector with the machine's clock and disk.
pub async fn start(config: &Config) -> Result<Handle, ServeError> {
    start_with(config, Arc::new(SystemClock), Box::new(OsMedium)).await
}

/// Starts a detector with that clock, and that medium for its evidence.
pub async fn start_with(
    config: &Config,
    clock: SharedClock,
    medium: Box<dyn Medium>,
) -> Result<Handle, ServeError> {
    let directory = DataDir::create(&config.data_dir)?;
    directory.check_owner()?;
    let lock = directory.lock()?;
    let authority = Arc::new(Authority::open(&directory, clock.now())?);
    let names = server_names(&config.server_names);
    let identity = server_identity(&directory, &authority, &names, clock.now())?;
    operator_identity(&directory, &authority, clock.now())?;
    let pipeline = opening::pipeline(&directory, medium, &clock)?;

    let listener = bind(config.listen).await?;
    let address = listener.local_addr().map_err(|source| ServeError::Bind {
        address: config.listen,
        source,
    })?;
    let tls = tls::server_config(identity, authority.certificate().clone(), Arc::clone(&clock))?;
    let (stop, stopping) = stop();
    let database = Database::open(&directory.database())?;
    let hub = Hub::new(opening::processed(&database)?);
    let ((server_alive, server_ended), (ingest_alive, ingest_ended)) = (life(), life());
    let (ingest, thread) = Ingest::start(pipeline, hub.clone(), ingest_alive).map_err(ServeError::Thread)?;
    let database = SharedDatabase::new(database);
    let services = Services {
        collector: CollectorService {
            ingest,
            database: database.clone(),
            clock: Arc::clone(&clock),
            stopping: stopping.clone(),
            clock_offsets: Arc::new(Mutex::new(HashMap::new())),
        },
        enrolment: EnrolmentService {
            authority: Arc::clone(&authority),
            database: database.clone(),
            clock: Arc::clone(&clock),
        },
        findings: FindingsService {
            hub,
            database,
            stopping: stopping.clone(),
        },
    };
    let tls = TlsAcceptor::from(Arc::new(tls));
    let accepted = accept(
        listener,
        tls,
        config.max_connections,
        Arc::clone(&clock),
        stopping.clone(),
    );
    let server = services.spawn(accepted, stopping, server_alive).await?;
    directory.write("listening", format!("{address}\n").as_bytes())?;
    tracing::info!(%address, data_dir = %config.data_dir.display(), "listening");
    let ended = [server_ended, ingest_ended];
    Ok(Handle {
        address,
        directory,
        authority,
        clock,
        stop,
        server,
        ingest: thread,
        ended,
        _lock: lock,
    })
}

impl Handle {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes a join token.
    pub fn make_token(&self, ttl: Duration) -> Result<MadeToken, EnrolError> {
        let mut database = Database::open(&self.directory.database())?;
        make_token(&mut database, &self.authority, ttl, self.clock.now())
    }

    /// Returns when a part of it has ended by itself, which only a fault of this program brings about.
    pub async fn failed(&mut self) {
        let [server, ingest] = &mut self.ended;
        tokio::select! {
            () = server.wait() => tracing::error!("the server has ended"),
            () = ingest.wait() => tracing::error!("the ingest thread has ended"),
        }
    }

    /// Stops it: no new connections, open streams end, what was taken is stored and answered for.
    pub async fn stop(mut self) {
        if let Err(error) = std::fs::remove_file(self.directory.listening()) {
            tracing::debug!(%error, "the file that tells the address was gone already");
        }
        self.stop.now();
        if tokio::time::timeout(STOP_TIMEOUT, &mut self.server)
            .await
            .is_err()
        {
            tracing::warn!("connections did not end in time and were cut");
            self.server.abort();
        }
        let thread = self.ingest;
        let joined = tokio::task::spawn_blocking(move || thread.join());
        match tokio::time::timeout(STOP_TIMEOUT, joined).await {
            Ok(Ok(Ok(()))) => {}
            Ok(_) => {
                tracing::error!("the ingest thread ended in a panic; what has no receipt will be sent again");
            }
            Err(_) => tracing::error!(
                "the ingest thread did not end in time; what has no receipt will be sent again"
            ),
        }
        tracing::info!("stopped");
    }
}

struct Services {
    collector: CollectorService,
    enrolment: EnrolmentService,
    findings: FindingsService,
}

impl Services {
    async fn spawn(
        self,
        accepted: Accepted,
        mut stopping: Stopping,
        alive: Alive,
    ) -> Result<Task<()>, ServeError> {
        let (health, health_service) = tonic_health::server::health_reporter();
        health
            .set_serving::<EventCollectorServer<CollectorService>>()
            .await;
        health.set_serving::<EnrolmentServer<EnrolmentService>>().await;
        health.set_serving::<FindingsServer<FindingsService>>().await;
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1()
            .map_err(ServeError::Reflection)?;
        let collector = EventCollectorServer::new(self.collector);
        let enrolment = EnrolmentServer::new(self.enrolment);
        let server = Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .max_concurrent_streams(MAX_STREAMS)
            .add_service(collector.max_decoding_message_size(collector::MAX_MESSAGE_BYTES))
            .add_service(enrolment.max_decoding_message_size(enrolment::MAX_REQUEST_BYTES))
            .add_service(FindingsServer::new(self.findings))
            .add_service(health_service)
            .add_service(reflection);
        let stopped = async move {
            stopping.wait().await;
            not_serving(&health).await;
        };
        Ok(tokio::spawn(async move {
            let _alive = alive;
            let served = server
                .serve_with_incoming_shutdown(ReceiverStream::new(accepted), stopped)
                .await;
            if let Err(error) = served {
                tracing::error!(error = status::chain(&error), "serving ended");
            }
        }))
    }
}

async fn not_serving(health: &HealthReporter) {
    health
        .set_not_serving::<EventCollectorServer<CollectorService>>()
        .await;
    health
        .set_not_serving::<EnrolmentServer<EnrolmentService>>()
        .await;
    health.set_not_serving::<FindingsServer<FindingsService>>().await;
}

async fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => ServeError::AddressInUse { address },
            _ => ServeError::Bind { address, source },
        })
}

/// The names by which sensors may call this detector.
fn server_names(configured: &[String]) -> Vec<String> {
    let mut names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if rustls::pki_types::DnsName::try_from(host.as_str()).is_ok() {
        names.push(host);
    }
    names.extend(configured.iter().cloned());
    names.sort_unstable();
    names.dedup();
    names
}
