//! The `Enrolment` service. It takes callers without a certificate; what they may is in their join token.

use std::sync::Arc;

use claviger_proto::v1::enrolment_server::Enrolment;
use claviger_proto::v1::{EnrolRequest, EnrolResponse};
use tonic::{Request, Response, Status};

use super::peer::Peer;
use super::status::{self, SharedDatabase};
use crate::clock::SharedClock;
use crate::enrol::{Authority, EnrolError, enrol};

/// The most bytes that a request may have.
pub(super) const MAX_REQUEST_BYTES: usize = 64 << 10;

/// The `Enrolment` service.
#[derive(Clone, Debug)]
pub(super) struct EnrolmentService {
    pub(super) authority: Arc<Authority>,
    pub(super) database: SharedDatabase,
    pub(super) clock: SharedClock,
}

#[tonic::async_trait]
impl Enrolment for EnrolmentService {
    async fn enrol(&self, request: Request<EnrolRequest>) -> Result<Response<EnrolResponse>, Status> {
        let address = request.extensions().get::<Peer>().map(|peer| peer.address);
        let request = request.into_inner();
        let token = request.token_id.clone();
        let (authority, now) = (Arc::clone(&self.authority), self.clock.now());
        let enrolled = self
            .database
            .with(move |database| enrol(database, &authority, &request, now))
            .await?;
        enrolled.map(Response::new).map_err(|error| {
            let reason = status::chain(&error);
            match error {
                EnrolError::Store(_) | EnrolError::Authority { .. } | EnrolError::Certificate { .. } => {
                    tracing::error!(?address, token, reason, "a sensor could not be enrolled");
                }
                _ => tracing::warn!(?address, token, reason, "enrolment refused"),
            }
            status::of_enrol(&error)
        })
    }
}
