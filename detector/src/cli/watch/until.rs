//! When to end: once an event that somebody names on standard input has been through detection.

use std::collections::HashMap;
use std::future::Future;
use std::io::{self, BufRead as _, Read as _};
use std::pin::Pin;

use anyhow::Context as _;
use tokio::sync::oneshot;

use super::super::exit::UsageError;

/// Two UUIDs, a number and two slashes have less.
const MAX_LINE_BYTES: u64 = 256;

/// An event to wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    sensor_id: String,
    boot_id: String,
    sequence: u64,
}

/// What has been through detection, and what is waited for. Holds one number for each sensor and boot that is heard of.
#[derive(Debug, Default)]
pub(super) struct Until {
    processed: HashMap<(String, String), u64>,
    target: Option<Target>,
}

impl Until {
    pub(super) fn note(&mut self, sensor_id: String, boot_id: String, sequence: u64) {
        let newest = self.processed.entry((sensor_id, boot_id)).or_default();
        *newest = sequence.max(*newest);
    }

    pub(super) fn wait_for(&mut self, target: Target) {
        self.target = Some(target);
    }

    pub(super) fn is_reached(&self) -> bool {
        self.target.as_ref().is_some_and(|target| {
            let key = (target.sensor_id.clone(), target.boot_id.clone());
            self.processed
                .get(&key)
                .is_some_and(|newest| *newest >= target.sequence)
        })
    }
}

type Line = Pin<Box<dyn Future<Output = anyhow::Result<Option<Target>>>>>;

/// The target that standard input names, nothing where it ends first. Where it is not to be read, this never comes.
pub(super) fn read_line(wanted: bool) -> anyhow::Result<Line> {
    if !wanted {
        return Ok(Box::pin(std::future::pending()));
    }
    let (sender, receiver) = oneshot::channel();
    // A thread of its own: a blocked read must not keep the program from ending.
    std::thread::Builder::new()
        .name("stdin".into())
        .spawn(move || {
            let mut line = Vec::new();
            let read = io::stdin()
                .lock()
                .take(MAX_LINE_BYTES)
                .read_until(b'\n', &mut line);
            let _ = sender.send(read.map(|_| line));
        })
        .context("cannot read standard input")?;
    let mut receiver = Some(receiver);
    Ok(Box::pin(std::future::poll_fn(move |context| {
        use std::task::Poll;
        // Once it has come it does not come again.
        let Some(waiting) = &mut receiver else {
            return Poll::Pending;
        };
        let Poll::Ready(read) = Pin::new(waiting).poll(context) else {
            return Poll::Pending;
        };
        receiver = None;
        Poll::Ready(match read {
            Ok(Ok(line)) => parse(&line),
            Ok(Err(error)) => Err(error).context("cannot read standard input"),
            Err(_) => Ok(None),
        })
    })))
}

fn parse(line: &[u8]) -> anyhow::Result<Option<Target>> {
    if line.is_empty() {
        return Ok(None);
    }
    let wrong = || UsageError("standard input is to have one line SENSOR_ID/BOOT_ID/SEQUENCE".into());
    let text = std::str::from_utf8(line).map_err(|_| wrong())?.trim();
    let parts: Vec<_> = text.split('/').collect();
    let [sensor_id, boot_id, sequence] = parts.as_slice() else {
        return Err(wrong().into());
    };
    let sequence = sequence.parse().map_err(|_| wrong())?;
    Ok(Some(Target {
        sensor_id: (*sensor_id).into(),
        boot_id: (*boot_id).into(),
        sequence,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_reached_by_the_named_sensor_and_boot_only() {
        let mut until = Until::default();
        until.note("s".into(), "b".into(), 5);
        assert!(!until.is_reached(), "nobody named anything");
        until.wait_for(parse(b"s/b/7\n").expect("parses").expect("is there"));
        until.note("s".into(), "b".into(), 6);
        until.note("s".into(), "c".into(), 9);
        until.note("t".into(), "b".into(), 9);
        assert!(!until.is_reached());
        until.note("s".into(), "b".into(), 9);
        assert!(until.is_reached());
        until.note("s".into(), "b".into(), 1);
        assert!(until.is_reached(), "an older note changes nothing");
    }

    #[test]
    fn an_end_without_a_line_is_told_from_a_wrong_line() {
        assert_eq!(parse(b"").expect("is fine"), None);
        for wrong in [&b"\n"[..], b"s/b", b"s/b/x", b"s/b/1/2", b"\xff/b/1"] {
            assert!(parse(wrong).expect_err("is wrong").is::<UsageError>());
        }
    }
}
