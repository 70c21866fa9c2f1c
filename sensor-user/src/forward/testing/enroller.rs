//! A detector that enrols.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use claviger_proto::v1::enrolment_server::{Enrolment, EnrolmentServer};
use claviger_proto::v1::{EnrolRequest, EnrolResponse};
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use super::Authority;
use super::server::Server;

/// A detector that enrols whoever asks, until told otherwise.
pub(crate) struct Enroller {
    server: Server,
    service: Service,
}

#[derive(Clone)]
struct Service {
    authority: Arc<Authority>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    requests: Vec<EnrolRequest>,
    refusal: Option<String>,
    for_another_key: bool,
}

impl Service {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Enroller {
    pub(crate) async fn start(authority: Arc<Authority>, tls: Arc<ServerConfig>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("bound");
        let service = Service {
            authority,
            shared: Arc::default(),
        };
        let server = Server::start(listener, tls, Routes::new(EnrolmentServer::new(service.clone())));
        Self { server, service }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address
    }

    pub(crate) fn requests(&self) -> Vec<EnrolRequest> {
        self.service.shared().requests.clone()
    }

    pub(crate) fn refuse(&self, message: &str) {
        self.service.shared().refusal = Some(message.to_owned());
    }

    pub(crate) fn answer_for_another_key(&self) {
        self.service.shared().for_another_key = true;
    }
}

#[tonic::async_trait]
impl Enrolment for Service {
    async fn enrol(&self, request: Request<EnrolRequest>) -> Result<Response<EnrolResponse>, Status> {
        let request = request.into_inner();
        let mut shared = self.shared();
        shared.requests.push(request.clone());
        if let Some(message) = &shared.refusal {
            return Err(Status::permission_denied(message.clone()));
        }
        let mut asked = request.certificate_request;
        if shared.for_another_key {
            let key = KeyPair::generate().expect("made");
            asked = CertificateParams::default()
                .serialize_request(&key)
                .expect("made")
                .der()
                .to_vec();
        }
        Ok(Response::new(EnrolResponse {
            sensor_id: "01234567-89ab-4def-8123-456789abcdef".to_owned(),
            certificate: self.authority.sign_request(&asked).to_vec(),
            authority: self.authority.certificate.to_vec(),
            certificate_not_after: 0,
        }))
    }
}
