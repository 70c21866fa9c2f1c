//! The `Findings` service, for operators.
//!
//! Bounds: a page has at most [`MAX_PAGE`] findings and [`MAX_PAGE_BYTES`]; [`AHEAD`] items wait for a watcher, beside what the hub
//! keeps for it.

use std::pin::Pin;

use claviger_proto::v1::findings_server::Findings;
use claviger_proto::v1::watch_response::Item;
use claviger_proto::v1::{EventId, ListFindingsRequest, ListFindingsResponse, WatchRequest, WatchResponse};
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::hub::{Hub, News, Subscription, Totals};
use super::peer;
use super::status::{self, SharedDatabase};
use super::stopping::Stopping;
use crate::store::StoreError;
use crate::store::db::StoredFinding;

const DEFAULT_PAGE: u32 = 100;
const MAX_PAGE: u32 = 1_000;
/// Below what gRPC clients take by default.
const MAX_PAGE_BYTES: usize = 3 << 20;
const AHEAD: usize = 64;

/// The `Findings` service.
#[derive(Clone, Debug)]
pub(super) struct FindingsService {
    pub(super) hub: Hub,
    pub(super) database: SharedDatabase,
    pub(super) stopping: Stopping,
}

type Items = mpsc::Sender<Result<WatchResponse, Status>>;

/// Says that the watcher has gone.
struct Gone;

#[tonic::async_trait]
impl Findings for FindingsService {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<WatchResponse, Status>> + Send>>;

    async fn list(
        &self,
        request: Request<ListFindingsRequest>,
    ) -> Result<Response<ListFindingsResponse>, Status> {
        peer::operator(&request)?;
        let ListFindingsRequest {
            page_size,
            page_token,
        } = request.into_inner();
        let before = match page_token.as_str() {
            "" => i64::MAX,
            token => token
                .parse()
                .map_err(|_| Status::invalid_argument("page_token is not one of an answer before"))?,
        };
        let limit = if page_size == 0 {
            DEFAULT_PAGE
        } else {
            page_size.min(MAX_PAGE)
        };
        let found = self
            .database
            .with(move |database| database.rows().findings_before(before, limit + 1))
            .await?;
        let found = found.map_err(|error| logged(&error))?;
        Ok(Response::new(page(
            found,
            usize::try_from(limit).unwrap_or(usize::MAX),
        )))
    }

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        peer::operator(&request)?;
        // Before the answer's headers: whoever has them misses nothing.
        let (processed, subscription) = self.hub.subscribe();
        let (items, stream) = mpsc::channel(AHEAD);
        let findings_only = request.into_inner().findings_only;
        let watcher = Watcher { items, findings_only };
        tokio::spawn(watcher.run(processed, subscription, self.stopping.clone()));
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

/// As many of the findings as a page holds; `found` has one more than that where there is a page behind it.
fn page(found: Vec<StoredFinding>, limit: usize) -> ListFindingsResponse {
    let (mut findings, mut bytes, mut last) = (Vec::new(), 0, None);
    let total = found.len();
    for StoredFinding { number, finding } in found.into_iter().take(limit) {
        bytes += finding.encoded_len();
        if bytes > MAX_PAGE_BYTES && !findings.is_empty() {
            break;
        }
        findings.push(finding);
        last = Some(number);
    }
    let more = findings.len() < total;
    let next_page_token = last
        .filter(|_| more)
        .map_or_else(String::new, |number| number.to_string());
    ListFindingsResponse {
        findings,
        next_page_token,
    }
}

struct Watcher {
    items: Items,
    findings_only: bool,
}

impl Watcher {
    /// First what detection had seen before, so that somebody who waits for an event need not wait for another.
    async fn run(self, processed: Vec<EventId>, mut subscription: Subscription, mut stopping: Stopping) {
        for id in processed {
            if self.send(Item::Processed(id)).await.is_err() {
                return;
            }
        }
        loop {
            let next = tokio::select! {
                next = subscription.next() => next,
                () = stopping.wait() => None,
                () = self.items.closed() => return,
            };
            let Some((missed, news)) = next else { break };
            if self.pass_on(missed, &news).await.is_err() {
                return;
            }
        }
        // An error means that the watcher has gone.
        let _ = self
            .items
            .send(Err(Status::unavailable("the detector is stopping")))
            .await;
    }

    async fn pass_on(&self, missed: Totals, news: &News) -> Result<(), Gone> {
        let skipped = missed.findings + if self.findings_only { 0 } else { missed.events };
        if skipped > 0 {
            self.send(Item::Skipped(skipped)).await?;
        }
        if !self.findings_only {
            for event in &news.events {
                self.send(Item::Event(event.clone())).await?;
            }
        }
        for finding in &news.findings {
            self.send(Item::Finding(finding.clone())).await?;
        }
        match &news.processed {
            Some(id) => self.send(Item::Processed(id.clone())).await,
            None => Ok(()),
        }
    }

    async fn send(&self, item: Item) -> Result<(), Gone> {
        self.items
            .send(Ok(WatchResponse { item: Some(item) }))
            .await
            .map_err(|_| Gone)
    }
}

fn logged(error: &StoreError) -> Status {
    tracing::error!(error = status::chain(error), "the store cannot be read");
    status::of_store(error)
}

#[cfg(test)]
mod tests {
    use claviger_proto::v1::Finding;

    use super::*;

    fn stored(numbers: std::ops::Range<i64>, bytes: usize) -> Vec<StoredFinding> {
        let finding = Finding {
            summary: "x".repeat(bytes),
            ..Finding::default()
        };
        numbers
            .rev()
            .map(|number| StoredFinding {
                number,
                finding: finding.clone(),
            })
            .collect()
    }

    #[test]
    fn a_page_ends_where_it_is_full_and_says_where_to_go_on() {
        let first = page(stored(1..5, 1), 3);
        assert_eq!((first.findings.len(), first.next_page_token.as_str()), (3, "2"));
        let last = page(stored(1..2, 1), 3);
        assert_eq!((last.findings.len(), last.next_page_token.as_str()), (1, ""));
        let heavy = page(stored(1..5, 2 << 20), 3);
        assert_eq!((heavy.findings.len(), heavy.next_page_token.as_str()), (1, "4"));
        assert_eq!(page(Vec::new(), 3), ListFindingsResponse::default());
    }
}
