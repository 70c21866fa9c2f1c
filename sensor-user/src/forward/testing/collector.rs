//! A collector that remembers what it got.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use claviger_proto::envelope::batch_digest;
use claviger_proto::v1::event_collector_server::{EventCollector, EventCollectorServer};
use claviger_proto::v1::push_response::Answer;
use claviger_proto::v1::{Batch, PushRequest, PushResponse, Receipt, Rejection};
use prost::Message as _;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::service::Routes;
use tonic::{Request, Response, Status, Streaming};

use super::server::Server;

/// How a collector behaves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Manners {
    /// Sends every receipt so many times more.
    pub(crate) extra_receipts: usize,
    /// Gives a receipt for every so manieth batch only.
    pub(crate) receipt_every: Option<u64>,
    /// Rejects the batch with this first sequence.
    pub(crate) reject: Option<u64>,
    /// Breaks a stream off after so many batches, without receipts for the last.
    pub(crate) break_after: Option<u64>,
    /// Refuses the call.
    pub(crate) refuse: Option<String>,
    /// Answers nothing.
    pub(crate) mute: bool,
    /// How many seconds its clock is ahead.
    pub(crate) clock_ahead_s: i64,
}

#[derive(Debug, Default)]
struct Shared {
    manners: Manners,
    received: Vec<Batch>,
    streams: usize,
}

/// A running collector; ends when it is dropped.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    service: Service,
    server: Server,
}

#[derive(Debug, Clone, Default)]
struct Service(Arc<Mutex<Shared>>);

impl Service {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector {
    pub(crate) async fn start(tls: Arc<ServerConfig>, manners: Manners) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("bound");
        Self::on(listener, tls, manners)
    }

    pub(crate) fn on(listener: TcpListener, tls: Arc<ServerConfig>, manners: Manners) -> Self {
        let service = Service::default();
        service.shared().manners = manners;
        let server = Server::start(
            listener,
            tls,
            Routes::new(EventCollectorServer::new(service.clone())),
        );
        Self {
            address: server.address,
            service,
            server,
        }
    }

    pub(crate) fn behave(&self, manners: Manners) {
        self.service.shared().manners = manners;
    }

    pub(crate) fn received(&self) -> Vec<Batch> {
        self.service.shared().received.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.server.connections()
    }

    pub(crate) fn streams(&self) -> usize {
        self.service.shared().streams
    }

    /// Waits, within bounds, until something holds.
    pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
        for _ in 0..1_500 {
            if holds() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{what} did not come within 30 s")
    }
}

#[tonic::async_trait]
impl EventCollector for Service {
    type PushStream = Pin<Box<dyn Stream<Item = Result<PushResponse, Status>> + Send>>;

    async fn push(
        &self,
        request: Request<Streaming<PushRequest>>,
    ) -> Result<Response<Self::PushStream>, Status> {
        if let Some(message) = &self.shared().manners.refuse {
            return Err(Status::permission_denied(message.clone()));
        }
        self.shared().streams += 1;
        let (answers, outgoing) = mpsc::channel(256);
        let (service, mut stream) = (self.clone(), request.into_inner());
        tokio::spawn(async move {
            let mut taken: u64 = 0;
            while let Some(Ok(request)) = stream.next().await {
                let manners = service.shared().manners.clone();
                let envelope = request.envelope.expect("an envelope");
                let batch = Batch::decode(envelope.payload.as_slice()).expect("a batch");
                service.shared().received.push(batch.clone());
                taken += 1;
                if manners.break_after.is_some_and(|after| taken >= after) {
                    let _ = answers.send(Err(Status::unavailable("broken off"))).await;
                    return;
                }
                if manners.mute {
                    continue;
                }
                let digest = batch_digest(&envelope.payload).to_vec();
                let answer = if manners.reject == Some(batch.first_sequence) {
                    Answer::Rejection(Rejection {
                        batch_sha256: digest,
                        reason: "malformed".into(),
                        message: "for the test".into(),
                    })
                } else if manners
                    .receipt_every
                    .is_some_and(|every| !u64::is_multiple_of(taken, every))
                {
                    continue;
                } else {
                    let last_sequence = batch.last_sequence;
                    Answer::Receipt(Receipt {
                        boot_id: batch.boot_id,
                        last_sequence,
                        batch_sha256: digest,
                    })
                };
                let ahead = Duration::from_secs(manners.clock_ahead_s.unsigned_abs());
                let now = SystemTime::now();
                let now = if manners.clock_ahead_s < 0 {
                    now - ahead
                } else {
                    now + ahead
                };
                for _ in 0..=manners.extra_receipts {
                    let answer = Some(answer.clone());
                    let _ = answers
                        .send(Ok(PushResponse {
                            collector_time: Some(now.into()),
                            answer,
                        }))
                        .await;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(outgoing))))
    }
}
