//! Prints results, for people or as JSON lines.

use std::io::{self, Write as _};

use claviger_proto::v1::{Event, Finding};

use crate::show;

/// Standard output in one of the two forms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    json: bool,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(super) fn event(self, event: &Event) -> io::Result<()> {
        if self.json {
            line(&show::json::event(event))
        } else {
            line(&show::event(event))
        }
    }

    pub(super) fn finding(self, finding: &Finding) -> io::Result<()> {
        if self.json {
            line(&show::json::finding(finding))
        } else {
            line(&show::finding(finding))
        }
    }
}

/// Prints text and ends the line; at once, for whoever reads along. Styles are taken out where the output is no terminal.
pub(super) fn line(text: &str) -> io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.write_all(b"\n")?;
    stdout.flush()
}

/// Says that there are older ones than the newest that were shown: on standard error, so that what reads the JSON lines is not disturbed.
pub(super) fn more(what: &str, limit: u32) {
    anstream::eprintln!(
        "these are the newest {limit} {what}; there are older ones, which --limit N shows with a larger N"
    );
}
