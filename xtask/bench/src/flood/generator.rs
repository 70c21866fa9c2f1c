//! Many processes that use credentials, replaced as they run out of files, and the count of what they did by their own word.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, PipeReader, pipe};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::worker::now_us;
use crate::interrupt::Interrupt;

/// What a generator makes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Alive at a time.
    pub(super) processes: usize,
    /// In the list; a process uses each at most once.
    pub(super) files: usize,
    pub(super) at_once: usize,
    /// 0: as fast as it goes.
    pub(super) interval_us: u64,
    pub(super) seconds: u64,
}

/// What it made, by the processes' own counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) uses: u64,
    pub(super) processes: u64,
    /// Of them those that ended without a count: their uses are not in it.
    pub(super) silent: u64,
    pub(super) took_ms: u64,
}

/// Time in which all processes start, before the first use: each needs about a millisecond.
const PER_START_MS: u64 = 3;

/// The processes of one flood; those that are left are killed when it is dropped.
struct Flood<'a> {
    shape: Shape,
    list: &'a Path,
    begin_ms: u64,
    end_ms: u64,
    counts: OwnedFd,
    alive: HashMap<u32, Child>,
    started: u64,
}

/// Runs one flood to its end. `each_second` is called about that often.
pub(super) fn run(
    shape: Shape,
    list: &Path,
    interrupt: &Interrupt,
    mut each_second: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Made> {
    let (reader, writer) = pipe().context("making a pipe for counts")?;
    let begin_ms = now_us() / 1000 + PER_START_MS * shape.processes as u64;
    let mut flood = Flood {
        shape,
        list,
        begin_ms,
        end_ms: begin_ms + shape.seconds * 1000,
        counts: writer.into(),
        alive: HashMap::new(),
        started: 0,
    };
    let lines = lines_of(reader)?;
    for number in 0..shape.processes {
        interrupt.check()?;
        // Spread, so that processes end, and are replaced, all the time.
        flood.start((shape.files * (number + 1)).div_ceil(shape.processes))?;
    }
    let mut made = Made::default();
    let mut told = now_us();
    let patience_ms = flood.end_ms + 60_000;
    while !flood.alive.is_empty() {
        interrupt.check()?;
        match lines.recv_timeout(Duration::from_millis(100)) {
            Ok(line) => {
                if let Some((pid, uses)) = parse(&line)
                    && let Some(mut child) = flood.alive.remove(&pid)
                {
                    child.wait().context("waiting")?;
                    made.uses += uses;
                    if now_us() / 1000 < flood.end_ms {
                        flood.start(shape.files)?;
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => made.silent += flood.reap()?,
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if now_us() - told >= 1_000_000 {
            told = now_us();
            if told / 1000 > begin_ms && told / 1000 < flood.end_ms {
                each_second()?;
            }
        }
        ensure!(now_us() / 1000 < patience_ms, "the flood does not end");
    }
    made.processes = flood.started;
    made.took_ms = (now_us() / 1000).min(flood.end_ms).saturating_sub(begin_ms);
    Ok(made)
}

impl Flood<'_> {
    /// No guard process between this and a worker: its end is by its own clock, and there are thousands.
    fn start(&mut self, uses: usize) -> anyhow::Result<()> {
        let shape = &self.shape;
        let number = usize::try_from(self.started).unwrap_or_default();
        // Within the first interval, so that they do not wake together.
        let phase_ms = shape.interval_us * (number % shape.processes) as u64 / shape.processes as u64 / 1000;
        let begin_ms = self.begin_ms.max(now_us() / 1000) + phase_ms;
        let arguments = [
            ("--from", number as u64 % shape.files as u64),
            ("--uses", uses as u64),
            ("--at-once", shape.at_once as u64),
            ("--interval-us", shape.interval_us),
            ("--begin-ms", begin_ms),
            ("--end-ms", self.end_ms),
        ];
        let counts = self.counts.try_clone().context("cloning the pipe for counts")?;
        let mut command = Command::new("/proc/self/exe");
        command.arg("use").arg("--list").arg(self.list);
        for (name, value) in arguments {
            command.args([name, &value.to_string()]);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(File::from(counts))
            .spawn()
            .context("starting a process of the flood")?;
        self.alive.insert(child.id(), child);
        self.started += 1;
        Ok(())
    }

    /// Those that ended without a word; asked only when nothing is heard, so that no line of theirs is under way for long.
    fn reap(&mut self) -> anyhow::Result<u64> {
        if now_us() / 1000 < self.end_ms + 5000 {
            return Ok(0);
        }
        let mut ended = Vec::new();
        for (pid, child) in &mut self.alive {
            if child.try_wait().context("waiting")?.is_some() {
                ended.push(*pid);
            }
        }
        for pid in &ended {
            self.alive.remove(pid);
        }
        Ok(ended.len() as u64)
    }
}

impl Drop for Flood<'_> {
    fn drop(&mut self) {
        for child in self.alive.values_mut() {
            if let Err(error) = child.kill().and_then(|()| child.wait()) {
                eprintln!("warning: ending a process of the flood: {error}");
            }
        }
    }
}

fn lines_of(reader: PipeReader) -> anyhow::Result<Receiver<String>> {
    let (sender, receiver) = sync_channel(1024);
    thread::Builder::new()
        .name("counts".to_owned())
        .spawn(move || {
            for line in BufReader::new(reader).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        })
        .context("starting a thread")?;
    Ok(receiver)
}

/// `PID COUNT`
fn parse(line: &str) -> Option<(u32, u64)> {
    let (pid, count) = line.split_once(' ')?;
    Some((pid.parse().ok()?, count.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_with_its_pid() {
        assert_eq!(parse("812 500"), Some((812, 500)));
        assert_eq!(parse("812"), None);
        assert_eq!(parse("x 5"), None);
    }
}
