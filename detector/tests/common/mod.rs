//! A detector in this process, and a sensor's half made by hand: what anybody who writes a sensor of their own has to do.

#![allow(dead_code, reason = "each test file uses its own part of this")]

pub(crate) mod program;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use claviger_detector::clock::{SharedClock, SystemClock};
use claviger_detector::config::Config;
use claviger_detector::serve::{self, Handle};
use claviger_detector::store::DataDir;
use claviger_detector::store::log::OsMedium;
use claviger_proto::envelope::{
    CHAIN_START, PAYLOAD_TYPE, batch_digest, enrolment_proof_message, key_id, pre_authentication_encoding,
};
use claviger_proto::v1::enrolment_client::EnrolmentClient;
use claviger_proto::v1::event_collector_client::EventCollectorClient;
use claviger_proto::v1::findings_client::FindingsClient;
use claviger_proto::v1::push_response::Answer;
use claviger_proto::v1::{
    Actor, Batch, Credential, EnrolRequest, EnrolResponse, Envelope, Event, EventId, EventKind, Operation,
    Outcome, Process, PushRequest, PushResponse, Signature,
};
use ed25519_dalek::{Signer as _, SigningKey};
use hyper_util::rt::TokioIo;
use prost::Message as _;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};

/// No wait in these tests is longer; nothing is asserted about how long it takes.
pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) fn config(data_dir: &Path) -> Config {
    Config {
        data_dir: data_dir.to_owned(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        ..Config::default()
    }
}

pub(crate) async fn start(data_dir: &Path) -> Handle {
    start_at(data_dir, Arc::new(SystemClock)).await
}

pub(crate) async fn start_at(data_dir: &Path, clock: SharedClock) -> Handle {
    serve::start_with(&config(data_dir), clock, Box::new(OsMedium))
        .await
        .expect("starts")
}

/// A client certificate with its key.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: Arc<PrivateKeyDer<'static>>,
}

pub(crate) fn operator(data_dir: &Path) -> Identity {
    let pem = std::fs::read(data_dir.join("operator.pem")).expect("is there");
    let key = PrivateKeyDer::from_pem_file(data_dir.join("operator.key")).expect("is there");
    let chain = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .expect("parses");
    Identity {
        chain,
        key: Arc::new(key),
    }
}

pub(crate) async fn connect(
    data_dir: &Path,
    address: SocketAddr,
    identity: Option<&Identity>,
) -> Result<Channel, tonic::transport::Error> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(data_dir.join("ca.pem")).expect("is there"))
        .expect("is one");
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("is offered")
        .with_root_certificates(roots);
    let mut tls = match identity {
        Some(identity) => builder
            .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
            .expect("fits"),
        None => builder.with_no_client_auth(),
    };
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let tls = TlsConnector::from(Arc::new(tls));
    let connector = tower::service_fn(move |_| {
        let tls = tls.clone();
        async move {
            let name = ServerName::try_from("127.0.0.1").expect("is one");
            let stream = tls.connect(name, TcpStream::connect(address).await?).await?;
            Ok::<_, std::io::Error>(TokioIo::new(stream))
        }
    });
    Endpoint::from_static("http://detector")
        .connect_with_connector(connector)
        .await
}

pub(crate) async fn findings(data_dir: &Path, address: SocketAddr) -> FindingsClient<Channel> {
    let channel = connect(data_dir, address, Some(&operator(data_dir)))
        .await
        .expect("connects");
    FindingsClient::new(channel)
}

/// An enrolment that can be spoilt before it is sent.
pub(crate) struct Enrolling {
    pub(crate) request: EnrolRequest,
    tls: KeyPair,
    signing: SigningKey,
}

pub(crate) fn enrolling(token: &str, seed: u8) -> Enrolling {
    let parts: Vec<_> = token.split('.').collect();
    let ["clv1", id, secret, _pin] = parts.as_slice() else {
        panic!("another form: {token}")
    };
    let tls = KeyPair::generate().expect("generates");
    let csr = CertificateParams::default()
        .serialize_request(&tls)
        .expect("serializes")
        .der()
        .to_vec();
    let signing = SigningKey::from_bytes(&[seed; 32]);
    let proof = signing.sign(&enrolment_proof_message(id, &csr));
    let request = EnrolRequest {
        token_id: (*id).into(),
        token_secret: URL_SAFE_NO_PAD.decode(secret).expect("decodes"),
        certificate_request: csr,
        signing_public_key: signing.verifying_key().to_bytes().to_vec(),
        signing_proof: proof.to_bytes().to_vec(),
        host_name: "web-1".into(),
        kernel: "6.12.0".into(),
        sensor_version: "0.1.0".into(),
    };
    Enrolling {
        request,
        tls,
        signing,
    }
}

impl Enrolling {
    pub(crate) async fn send(self, data_dir: &Path, address: SocketAddr) -> Result<Sensor, Status> {
        let channel = connect(data_dir, address, None).await.expect("connects");
        let response = EnrolmentClient::new(channel)
            .enrol(self.request)
            .await?
            .into_inner();
        let EnrolResponse {
            sensor_id,
            certificate,
            authority,
            ..
        } = response;
        let identity = Identity {
            chain: vec![certificate.into(), authority.into()],
            key: Arc::new(PrivateKeyDer::try_from(self.tls.serialize_der()).expect("is a key")),
        };
        Ok(Sensor {
            id: sensor_id,
            identity,
            signing: self.signing,
            boot_id: "6f1ed002-ab5a-4c1e-b1d3-0a7f6a3c5e11".into(),
            next: 1,
            previous: CHAIN_START,
            sealed_at: jiff::Timestamp::now(),
        })
    }
}

/// Makes a token and enrols with it.
pub(crate) async fn enrol(detector: &Handle, data_dir: &Path, seed: u8) -> Sensor {
    let token = detector.make_token(LONG).expect("makes");
    enrolling(&token.text, seed)
        .send(data_dir, detector.address())
        .await
        .expect("enrols")
}

/// An enrolled sensor.
#[derive(Clone)]
pub(crate) struct Sensor {
    pub(crate) id: String,
    pub(crate) identity: Identity,
    pub(crate) signing: SigningKey,
    pub(crate) boot_id: String,
    pub(crate) next: u64,
    pub(crate) previous: [u8; 32],
    pub(crate) sealed_at: jiff::Timestamp,
}

impl Sensor {
    pub(crate) fn batch(&mut self, mut events: Vec<Event>) -> Batch {
        let first_sequence = self.next;
        for event in &mut events {
            let (sensor_id, boot_id) = (self.id.clone(), self.boot_id.clone());
            event.id = Some(EventId {
                sensor_id,
                boot_id,
                sequence: self.next,
            });
            self.next += 1;
        }
        Batch {
            sensor_id: self.id.clone(),
            boot_id: self.boot_id.clone(),
            first_sequence,
            last_sequence: self.next - 1,
            previous_batch_sha256: self.previous.to_vec(),
            sealed_at: Some(claviger_detector::clock::to_proto(self.sealed_at)),
            losses: Vec::new(),
            events,
        }
    }

    pub(crate) fn sign(&mut self, batch: &Batch) -> Envelope {
        let payload = batch.encode_to_vec();
        self.previous = batch_digest(&payload);
        let sig = self
            .signing
            .sign(&pre_authentication_encoding(PAYLOAD_TYPE, &payload))
            .to_bytes()
            .to_vec();
        let signature = Signature {
            sig,
            key_id: key_id(&self.signing.verifying_key().to_bytes()),
        };
        Envelope {
            payload,
            payload_type: PAYLOAD_TYPE.into(),
            signatures: vec![signature],
        }
    }

    pub(crate) fn seal(&mut self, events: Vec<Event>) -> Envelope {
        let batch = self.batch(events);
        self.sign(&batch)
    }

    pub(crate) async fn stream(&self, data_dir: &Path, address: SocketAddr) -> Stream {
        self.try_stream(data_dir, address, Some(&self.identity))
            .await
            .expect("is let in")
    }

    pub(crate) async fn try_stream(
        &self,
        data_dir: &Path,
        address: SocketAddr,
        identity: Option<&Identity>,
    ) -> Result<Stream, Status> {
        let channel = connect(data_dir, address, identity).await.expect("connects");
        let (sender, requests) = mpsc::channel(128);
        let mut client = EventCollectorClient::new(channel).max_encoding_message_size(16 << 20);
        let answers = client.push(ReceiverStream::new(requests)).await?.into_inner();
        Ok(Stream { sender, answers })
    }
}

/// An open stream to the collector.
pub(crate) struct Stream {
    pub(crate) sender: mpsc::Sender<PushRequest>,
    pub(crate) answers: Streaming<PushResponse>,
}

impl Stream {
    pub(crate) async fn send(&self, envelope: Envelope) {
        self.sender
            .send(PushRequest {
                envelope: Some(envelope),
            })
            .await
            .expect("is open");
    }

    pub(crate) async fn next(&mut self) -> Result<PushResponse, Status> {
        let message = tokio::time::timeout(LONG, self.answers.message())
            .await
            .expect("is answered");
        message.map(|message| message.expect("is not over"))
    }

    pub(crate) async fn push(&mut self, envelope: Envelope) -> Answer {
        self.send(envelope).await;
        let response = self.next().await.expect("is answered");
        assert!(response.collector_time.is_some());
        response.answer.expect("says something")
    }

    /// Pushes, and gives the last sequence of the receipt.
    pub(crate) async fn receipt(&mut self, envelope: Envelope) -> u64 {
        let digest = batch_digest(&envelope.payload);
        match self.push(envelope).await {
            Answer::Receipt(receipt) => {
                assert_eq!(receipt.batch_sha256, digest);
                receipt.last_sequence
            }
            Answer::Rejection(rejection) => panic!("{rejection:?}"),
        }
    }

    /// Pushes, and gives the reason of the rejection.
    pub(crate) async fn rejection(&mut self, envelope: Envelope) -> String {
        let digest = batch_digest(&envelope.payload);
        match self.push(envelope).await {
            Answer::Rejection(rejection) => {
                assert_eq!(rejection.batch_sha256, digest);
                assert!(!rejection.message.is_empty());
                rejection.reason
            }
            Answer::Receipt(receipt) => panic!("{receipt:?}"),
        }
    }
}

/// `cat` of AWS credentials, in a process of its own.
pub(crate) fn read_by_cat(pid: u32) -> Event {
    let process = |pid: u32, comm: &str, exe_path: &str| Process {
        pid,
        start_time_ticks: u64::from(pid) + 1000,
        comm: comm.into(),
        exe_path: exe_path.into(),
        euid: Some(0),
        ..Process::default()
    };
    Event {
        kind: EventKind::CredentialAccess.into(),
        time: Some(claviger_detector::clock::to_proto(jiff::Timestamp::now())),
        outcome: Outcome::Succeeded.into(),
        count: 1,
        actor: Some(
            Actor {
                process: Some(process(pid, "cat", "/usr/bin/cat")),
                ancestors: vec![process(77, "sh", "/bin/sh"), process(1, "systemd", "/sbin/init")],
                ..Actor::default()
            }
            .into(),
        ),
        credential: Some(Credential {
            kind: "aws_access_key".into(),
            path: "/home/demo/.aws/credentials".into(),
            operation: Operation::Read.into(),
            ..Credential::default()
        }),
        ..Event::default()
    }
}

pub(crate) fn status() -> Event {
    Event {
        kind: EventKind::SensorStatus.into(),
        ..Event::default()
    }
}

/// All findings that are stored, oldest first, as the detections' names.
pub(crate) fn detections(data_dir: &Path) -> Vec<String> {
    let directory = DataDir::open(data_dir).expect("is there");
    let database =
        claviger_detector::store::db::Database::open_to_read(&directory.database()).expect("opens");
    let found = database.rows().findings_before(i64::MAX, 10_000).expect("reads");
    found
        .into_iter()
        .rev()
        .map(|stored| stored.finding.detection)
        .collect()
}
