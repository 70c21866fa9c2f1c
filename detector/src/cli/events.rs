//! `events`: reads the evidence log through its index, and checks every signature again.

use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use claviger_proto::v1::{Envelope, Event};
use prost::Message as _;

use super::Which;
use super::exit::UsageError;
use super::output::{Output, more};
use crate::show::clean;
use crate::store::db::{BatchPlace, Database};
use crate::store::log::LogReader;
use crate::verify::verify;

/// Batches that are looked up at a time.
const PAGE: u32 = 64;
/// How often `--follow` looks for more.
const POLL: Duration = Duration::from_millis(250);

#[derive(Args, Debug)]
pub(super) struct Events {
    #[command(flatten)]
    which: Which,
    /// Show the newest N; where there are older ones, a line on standard error says so. 0 only with --follow
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
    /// Print {"event":{…}}, one a line
    #[arg(long)]
    json: bool,
    /// Go on with what is stored from now on, until Ctrl-C
    #[arg(long)]
    follow: bool,
}

struct Reader {
    database: Database,
    log: LogReader,
    unreadable: u64,
    /// Whether there are events before those that were shown.
    has_older: bool,
}

impl Events {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if self.limit == 0 && !self.follow {
            return Err(UsageError("--limit 0 shows nothing; give at least 1, or --follow".into()).into());
        }
        let directory = self.which.directory()?;
        let database = Database::open_to_read(&directory.database())?;
        let mut reader = Reader {
            database,
            log: LogReader::new(&directory.evidence()),
            unreadable: 0,
            has_older: false,
        };
        let output = Output::new(self.json);
        let (events, last) = reader.newest(self.limit)?;
        if events.is_empty() && !self.json && !self.follow {
            anstream::eprintln!("no events");
        }
        for event in &events {
            output.event(event)?;
        }
        if reader.has_older {
            more("events", self.limit);
        }
        if self.follow {
            reader.follow(last, output)?;
        }
        match reader.unreadable {
            0 => Ok(()),
            batches => anyhow::bail!("{batches} batches could not be read or do not verify; see above"),
        }
    }
}

impl Reader {
    /// The newest events in their order, and the number of the newest batch.
    fn newest(&mut self, limit: u32) -> anyhow::Result<(Vec<Event>, i64)> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let newest = self.database.rows().batches_before(i64::MAX, 1)?;
        let newest = newest.first().map_or(0, |place| place.number);
        let (mut before, mut batches, mut count) = (newest.saturating_add(1), Vec::new(), 0);
        while count < limit {
            let places = self.database.rows().batches_before(before, PAGE)?;
            if places.is_empty() {
                break;
            }
            for place in &places {
                if count < limit {
                    let events = self.events(place);
                    count += events.len();
                    batches.push(events);
                    before = place.number;
                }
            }
        }
        let is_older_batch = !self.database.rows().batches_before(before, 1)?.is_empty();
        self.has_older = limit > 0 && (count > limit || is_older_batch);
        let events = batches.into_iter().rev().flatten();
        Ok((events.skip(count.saturating_sub(limit)).collect(), newest))
    }

    /// Shows what comes after a batch; ends only when the output does.
    fn follow(&mut self, mut last: i64, output: Output) -> anyhow::Result<()> {
        loop {
            sleep(POLL);
            for place in self.database.rows().batches_after(last, PAGE)? {
                for event in self.events(&place) {
                    output.event(&event)?;
                }
                last = place.number;
            }
        }
    }

    /// A batch's events; none, and a line on standard error, where it cannot be read or does not verify.
    fn events(&mut self, place: &BatchPlace) -> Vec<Event> {
        match self.verified(place) {
            Ok(events) => events,
            Err(error) => {
                self.unreadable += 1;
                let error = format!("{error:#}");
                anstream::eprintln!(
                    "claviger-detector: batch {} of sensor {}: {}",
                    place.number,
                    place.sensor,
                    clean(&error)
                );
                Vec::new()
            }
        }
    }

    fn verified(&self, place: &BatchPlace) -> anyhow::Result<Vec<Event>> {
        let envelope = Envelope::decode(self.log.read(place.position)?.as_slice())?;
        let keys = self.database.rows().keys(Some(place.sensor))?;
        let (_, _, events) = verify(&envelope, &keys, place.sensor)?.split();
        Ok(events
            .into_iter()
            .map(crate::verify::Verified::into_inner)
            .collect())
    }
}
