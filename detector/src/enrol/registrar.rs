//! Turns a join token into a sensor.

use claviger_proto::envelope::enrolment_proof_message;
use claviger_proto::v1::{EnrolRequest, EnrolResponse};
use ed25519_dalek::{Signature, VerifyingKey};
use jiff::Timestamp;
use rcgen::CertificateSigningRequestParams;
use uuid::Uuid;

use super::{Authority, EnrolError, Role, SENSOR_CERTIFICATE_DAYS, token};
use crate::store::db::{Database, NewSensor};
use crate::verify::SensorId;

/// The most bytes that a name in a request may have.
const MAX_NAME_BYTES: usize = 255;
/// The most bytes that a certificate request may have.
const MAX_REQUEST_BYTES: usize = 16 << 10;

/// Enrols the caller, or says why not. The token is burnt last, so a request that fails for another reason can be made again.
pub fn enrol(
    database: &mut Database,
    authority: &Authority,
    request: &EnrolRequest,
    now: Timestamp,
) -> Result<EnrolResponse, EnrolError> {
    // The transaction begins before the token is looked at: two callers with one token cannot both find it unused.
    let write = database.write()?;
    token::check(write.rows().token(&request.token_id)?, &request.token_secret, now)?;
    let signing_key = proven_key(request)?;
    for name in [&request.host_name, &request.kernel, &request.sensor_version] {
        if name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
            return Err(EnrolError::Malformed {
                what: "a name in the request is too long or has control characters",
            });
        }
    }
    if write.rows().has_key(&signing_key)? {
        return Err(EnrolError::Malformed {
            what: "this signing key is registered already; make a new one",
        });
    }
    let tls_key = requested_key(&request.certificate_request)?;
    let id = SensorId(Uuid::new_v4());
    let issued = authority.issue_client(
        &tls_key.public_key,
        Role::Sensor(id),
        now,
        SENSOR_CERTIFICATE_DAYS,
    )?;
    let sensor = NewSensor {
        id,
        host_name: request.host_name.clone(),
        kernel: request.kernel.clone(),
        sensor_version: request.sensor_version.clone(),
        signing_key,
        certificate_serial: issued.serial,
        certificate_not_after: issued.facts.not_after,
    };
    write.add_sensor(&sensor, now)?;
    write.burn_token(&request.token_id, id, now)?;
    write.commit()?;
    tracing::info!(sensor = %id, host = sensor.host_name, token = request.token_id, "sensor enrolled");
    Ok(EnrolResponse {
        sensor_id: id.to_string(),
        certificate: issued.der.to_vec(),
        authority: authority.certificate().to_vec(),
        certificate_not_after: issued.facts.not_after.as_second(),
    })
}

/// The signing key, where the caller has shown to hold its private half.
fn proven_key(request: &EnrolRequest) -> Result<[u8; 32], EnrolError> {
    let malformed = |what| EnrolError::Malformed { what };
    let bytes = <[u8; 32]>::try_from(request.signing_public_key.as_slice());
    let bytes = bytes.map_err(|_| malformed("the signing key is not 32 bytes"))?;
    let key = VerifyingKey::from_bytes(&bytes).ok().filter(|key| !key.is_weak());
    let key = key.ok_or_else(|| malformed("the signing key is not a usable Ed25519 key"))?;
    let proof = Signature::from_slice(&request.signing_proof)
        .map_err(|_| malformed("the proof of possession is not a signature"))?;
    let message = enrolment_proof_message(&request.token_id, &request.certificate_request);
    key.verify_strict(&message, &proof)
        .map_err(|_| malformed("the proof of possession does not match the signing key"))?;
    Ok(bytes)
}

/// The TLS key; parsing checks that the request is signed with its private half.
fn requested_key(der: &[u8]) -> Result<CertificateSigningRequestParams, EnrolError> {
    if der.len() > MAX_REQUEST_BYTES {
        return Err(EnrolError::Malformed {
            what: "the certificate request is too large",
        });
    }
    CertificateSigningRequestParams::from_der(&der.into()).map_err(|_| EnrolError::Malformed {
        what: "the certificate request is not usable, or not signed with its key",
    })
}

#[cfg(test)]
#[path = "registrar_tests.rs"]
mod tests;
