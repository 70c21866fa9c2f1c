//! What a client asks for.

use super::body::{Body, Chunk};
use super::messages::{Head, NoHead};
use crate::network::tls::host;

/// As many as servers take.
const HEADERS_MAX: usize = 256;
/// Methods that a head may begin with where a stream was lost.
const METHODS: [&[u8]; 8] = [
    b"GET ",
    b"PUT ",
    b"POST ",
    b"HEAD ",
    b"CONNECT ",
    b"DELETE ",
    b"OPTIONS ",
    b"PATCH ",
];

/// A header that tells which service is asked, and how. Its value is not looked at further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// `X-aws-ec2-metadata-token`: of IMDSv2.
    AwsToken,
    /// `X-aws-ec2-metadata-token-ttl-seconds`: one is asked for.
    AwsTokenLifetime,
    /// `Metadata-Flavor: Google`
    GoogleMetadata,
    /// `Metadata: true`, of Azure and of IBM.
    Metadata,
    /// `X-IDENTITY-HEADER`, of Azure's App Service.
    IdentityHeader,
    /// `Authorization`: with a credential of the client's own.
    Authorization,
    /// `X-Vault-Token`
    VaultToken,
}

/// A request, as far as it is of use.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Its method.
    pub method: String,
    /// What is asked for, as given: with a query, and with whatever secret is in it.
    pub target: String,
    /// The host that it names, without port; nothing where that is none.
    pub host: Option<String>,
    /// What its headers tell.
    pub marks: Vec<Mark>,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("host", &self.host)
            .field("marks", &self.marks)
            .finish_non_exhaustive()
    }
}

impl Request {
    /// Its method, where that is one that HTTP knows: in the place of another anything can stand, a secret too.
    #[must_use]
    pub fn known_method(&self) -> &str {
        const TRACE: &str = "TRACE";
        let mut known = METHODS
            .iter()
            .filter_map(|method| std::str::from_utf8(method).ok());
        match known.find(|known| known.trim_end() == self.method) {
            Some(known) => known.trim_end(),
            None if self.method == TRACE => TRACE,
            None => "other",
        }
    }
}

impl Head for Request {
    fn parse(bytes: &[u8]) -> Result<Option<(Self, usize, Body)>, NoHead> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        let httparse::Status::Complete(length) = request.parse(bytes).map_err(|_| NoHead)? else {
            return Ok(None);
        };
        let (Some(method), Some(target)) = (request.method, request.path) else {
            return Err(NoHead);
        };
        let mut body = Body::Length(0);
        let mut named = None;
        let mut marks = Vec::new();
        for header in request.headers.iter() {
            match header.name.to_ascii_lowercase().as_str() {
                "content-length" if body == Body::Length(0) => body = Body::Length(number(header.value)?),
                "transfer-encoding" if is_chunked(header.value) => {
                    body = Body::Chunks(Chunk::Size(Vec::new()));
                }
                "host" if named.is_none() => named = host(without_port(header.value)),
                name => marks.extend(mark(name, header.value)),
            }
        }
        marks.sort_unstable();
        let request = Self {
            method: method.to_owned(),
            target: target.to_owned(),
            host: named,
            marks,
        };
        Ok(Some((request, length, body)))
    }

    fn may_begin(bytes: &[u8]) -> bool {
        METHODS.iter().any(|method| bytes.starts_with(method))
    }

    fn parse_leniently(bytes: &[u8]) -> Option<(Self, Option<usize>)> {
        let end = ends(bytes);
        let mut lines = bytes[..end.unwrap_or(bytes.len())].split(|byte| *byte == b'\n');
        let mut words = lines
            .next()?
            .split(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
            .filter(|word| !word.is_empty());
        let (method, target) = (words.next()?, words.next()?);
        let is_method = method.len() <= METHOD_MAX && method.iter().all(u8::is_ascii_alphabetic);
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
        let mut request = Self {
            method: text(method).filter(|_| is_method)?,
            target: text(target)?,
            host: None,
            marks: Vec::new(),
        };
        for line in lines {
            let mut halves = line.splitn(2, |byte| *byte == b':');
            let (Some(name), Some(value)) = (halves.next(), halves.next()) else {
                continue;
            };
            let (name, value) = (name.trim_ascii().to_ascii_lowercase(), value.trim_ascii());
            match std::str::from_utf8(&name) {
                Ok("host") if request.host.is_none() => request.host = host(without_port(value)),
                Ok(name) => request.marks.extend(mark(name, value)),
                Err(_) => {}
            }
        }
        request.marks.sort_unstable();
        Some((request, end))
    }
}

/// Letters of a method, at most.
const METHOD_MAX: usize = 16;

/// Where a head ends: behind an empty line.
fn ends(bytes: &[u8]) -> Option<usize> {
    let behind = |end: &[u8]| {
        let at = bytes.windows(end.len()).position(|window| window == end)?;
        Some(at + end.len())
    };
    let ends = [behind(b"\r\n\r\n"), behind(b"\n\n")];
    ends.into_iter().flatten().min()
}

fn mark(name: &str, value: &[u8]) -> Option<Mark> {
    let says = |word: &str| value.eq_ignore_ascii_case(word.as_bytes());
    match name {
        "x-aws-ec2-metadata-token" => Some(Mark::AwsToken),
        "x-aws-ec2-metadata-token-ttl-seconds" => Some(Mark::AwsTokenLifetime),
        "metadata-flavor" if says("google") => Some(Mark::GoogleMetadata),
        "metadata" if says("true") => Some(Mark::Metadata),
        "x-identity-header" => Some(Mark::IdentityHeader),
        "authorization" => Some(Mark::Authorization),
        "x-vault-token" => Some(Mark::VaultToken),
        _ => None,
    }
}

/// A length in a header.
pub(super) fn number(value: &[u8]) -> Result<u64, NoHead> {
    let text = std::str::from_utf8(value).map_err(|_| NoHead)?.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number {
        text.parse().map_err(|_| NoHead)
    } else {
        Err(NoHead)
    }
}

/// Whether chunks are the last of the codings, as they must be.
pub(super) fn is_chunked(value: &[u8]) -> bool {
    let last = value.rsplit(|byte| *byte == b',').next().unwrap_or_default();
    last.trim_ascii().eq_ignore_ascii_case(b"chunked")
}

fn without_port(value: &[u8]) -> &[u8] {
    if value.starts_with(b"[") {
        return value;
    }
    value.split(|byte| *byte == b':').next().unwrap_or_default()
}
