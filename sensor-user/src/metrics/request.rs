//! What is answered to a request.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
};

use super::{
    Published,
    counts::Counts,
    text::{MEDIA_TYPE, text},
};

const PATH: &str = "/metrics";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Answers. Nothing of the request matters but its method and its path; a body is not read.
pub(super) fn answer<B>(
    request: &Request<B>,
    published: &Published,
    counts: &Counts,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let refused = |status, why: &'static str| (status, PLAIN, Bytes::from_static(why.as_bytes()));
    let is_known = request.uri().path() == PATH;
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let (status, kind, body) = match published.newest() {
        _ if !is_known => refused(StatusCode::NOT_FOUND, "the metrics are at /metrics\n"),
        _ if !is_read => refused(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD are all there is\n"),
        None => refused(
            StatusCode::SERVICE_UNAVAILABLE,
            "the sensor has only just started\n",
        ),
        Some(newest) => {
            let own = Arc::new(counts.measure(newest.age));
            let text = text([newest.snapshot, own]);
            (StatusCode::OK, MEDIA_TYPE, Bytes::from(text))
        }
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    Ok(response)
}
