//! What a server answers.

use super::body::{Body, Chunk};
use super::messages::{Head, NoHead};
use super::request::{is_chunked, number};

const HEADERS_MAX: usize = 64;

/// An answer, as far as it is of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Its status.
    pub status: u16,
}

impl Head for Response {
    fn parse(bytes: &[u8]) -> Result<Option<(Self, usize, Body)>, NoHead> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = response.parse(bytes).map_err(|_| NoHead)? else {
            return Ok(None);
        };
        let status = response.code.ok_or(NoHead)?;
        // RFC 9112, 6.3
        let has_none = matches!(status, 100..200 | 204 | 304);
        let mut body = Body::Rest;
        for header in response.headers.iter() {
            if header.name.eq_ignore_ascii_case("content-length") && body == Body::Rest {
                body = Body::Length(number(header.value)?);
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") && is_chunked(header.value) {
                body = Body::Chunks(Chunk::Size(Vec::new()));
            }
        }
        if has_none {
            body = Body::Length(0);
        }
        Ok(Some((Self { status }, length, body)))
    }

    fn may_begin(bytes: &[u8]) -> bool {
        bytes.starts_with(b"HTTP/1.")
    }

    fn parse_leniently(_: &[u8]) -> Option<(Self, Option<usize>)> {
        None
    }
}
