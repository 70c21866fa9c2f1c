//! `watch`: events and findings of the running detector, over its own gRPC service, with the operator's certificate.

mod client;
mod filter;
mod summary;
mod until;

use clap::Args;
use claviger_proto::v1::watch_response::Item;
use claviger_proto::v1::{EventId, WatchRequest};
use sd_notify::NotifyState;
use tokio::signal::unix::SignalKind;
use tonic::{Status, Streaming};

use super::Which;
use super::exit::Unavailable;
use super::output::Output;
use super::serve::{notify, on};
use crate::show::clean;
use filter::{Filter, Root};
use summary::Summary;
use until::Until;

#[derive(Args, Debug)]
pub(super) struct Watch {
    #[command(flatten)]
    which: Which,
    /// Print {"event":{…}} and {"finding":{…}}, one a line
    #[arg(long)]
    json: bool,
    /// Leave events out
    #[arg(long)]
    findings_only: bool,
    /// Show only what this process or a descendant of it did; TICKS is its start time, field 22 of /proc/PID/stat
    #[arg(long, value_name = "PID:TICKS")]
    descendants_of: Option<Root>,
    /// Read one line SENSOR_ID/BOOT_ID/SEQUENCE from standard input, and end once that event has been through detection
    #[arg(long)]
    until_stdin: bool,
    /// At the end, say on standard error how much was shown and how long it took
    #[arg(long)]
    summary: bool,
}

type Messages = Streaming<claviger_proto::v1::WatchResponse>;

/// What is shown, and what is remembered of it.
struct Screen {
    output: Output,
    filter: Filter,
    summary: Summary,
    until: Until,
}

impl Watch {
    pub(super) fn run(self) -> anyhow::Result<()> {
        // One thread is enough to print, and none may keep the program from ending.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(self.watch())
    }

    async fn watch(self) -> anyhow::Result<()> {
        let directory = self.which.directory()?;
        let (address, mut client) = client::connect(&directory).await?;
        let request = WatchRequest {
            findings_only: self.findings_only,
        };
        let messages = client
            .watch(request)
            .await
            .map_err(|status| client::failed(&status))?
            .into_inner();
        anstream::eprintln!("watching the detector at {address}");
        notify(&NotifyState::Ready);
        let mut screen = Screen {
            output: Output::new(self.json),
            filter: Filter::new(self.descendants_of),
            summary: Summary::default(),
            until: Until::default(),
        };
        let shown = screen.show(messages, self.until_stdin).await;
        if self.descendants_of.is_some() {
            anstream::eprintln!("{} other events of this host were stored", screen.filter.others());
        }
        if self.summary {
            anstream::eprintln!("{}", screen.summary);
        }
        shown
    }
}

impl Screen {
    async fn show(&mut self, mut messages: Messages, until_stdin: bool) -> anyhow::Result<()> {
        let (mut interrupt, mut terminate) = (on(SignalKind::interrupt())?, on(SignalKind::terminate())?);
        let mut line = until::read_line(until_stdin)?;
        loop {
            tokio::select! {
                message = messages.message() => self.take(message)?,
                line = &mut line => match line? {
                    Some(target) => self.until.wait_for(target),
                    None => return Ok(()),
                },
                _ = interrupt.recv() => return Ok(()),
                _ = terminate.recv() => return Ok(()),
            }
            if self.until.is_reached() {
                return Ok(());
            }
        }
    }

    fn take(
        &mut self,
        message: Result<Option<claviger_proto::v1::WatchResponse>, Status>,
    ) -> anyhow::Result<()> {
        let message = message.map_err(|status| client::failed(&status))?;
        let message = message.ok_or_else(|| Unavailable("the detector ended the watch".into()))?;
        match message.item {
            Some(Item::Event(event)) if self.filter.shows_event(&event) => {
                self.summary.events += 1;
                self.output.event(&event)?;
            }
            Some(Item::Finding(finding)) if self.filter.shows_finding(&finding) => {
                self.summary.add_finding(&finding);
                self.output.finding(&finding)?;
            }
            Some(Item::Processed(EventId {
                sensor_id,
                boot_id,
                sequence,
            })) => {
                self.until.note(sensor_id, boot_id, sequence);
            }
            Some(Item::Skipped(items)) => {
                anstream::eprintln!(
                    "{items} items were left out, for they came faster than they were shown; they are stored"
                );
            }
            Some(Item::Event(_) | Item::Finding(_)) | None => {}
        }
        Ok(())
    }
}

/// What a server says, fit for a terminal.
fn said(status: &Status) -> String {
    clean(status.message()).into_owned()
}
