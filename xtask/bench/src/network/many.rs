//! Very many connections at once: what each takes of the kernel's memory, and whether any of them is lost. Processes of its own hold them, for one may have only so many
//! descriptors.

use std::fmt;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use rustix::net::sockopt::set_socket_linger;
use serde::Serialize;
use serde_json::Value;

use super::traffic;
use crate::interrupt::Interrupt;
use crate::stand::Sensor;

const HOLDERS: i64 = 8;
/// Both ends of each are in its holder.
const CONNECTIONS_EACH: i64 = 2_500;
const CONNECTIONS: i64 = HOLDERS * CONNECTIONS_EACH;

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Many {
    connections: i64,
    /// Records of the kernel half's that came of them: two for each, as its ClientHello comes in two pieces.
    seen: u64,
    pub(super) lost: u64,
    /// Bytes of the kernel's memory that are taken by each connection more than by one that nothing watches.
    bytes_each: i64,
}

impl fmt::Display for Many {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} connections at once: {} records, {} lost; {} bytes of kernel memory for each that is watched",
            self.connections, self.seen, self.lost, self.bytes_each
        )
    }
}

/// Connections of a process of their own, until it is dropped.
struct Holder {
    process: Child,
    input: Option<ChildStdin>,
}

impl Holder {
    fn start() -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("finding this program")?;
        let mut process = Command::new(program)
            .arg("hold")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting a holder of connections")?;
        let input = process.stdin.take();
        let mut holder = Self { process, input };
        holder.hear("open")?;
        Ok(holder)
    }

    /// Has it send what begins a TLS session on each, in two pieces.
    fn send(&mut self) -> anyhow::Result<()> {
        let input = self.input.as_mut().context("it has an input")?;
        input.write_all(b"send\n").context("asking a holder")?;
        self.hear("sent")
    }

    fn hear(&mut self, word: &str) -> anyhow::Result<()> {
        let output = self.process.stdout.as_mut().context("it has an output")?;
        let mut line = String::new();
        // One line at a time is said.
        BufReader::with_capacity(64, output)
            .read_line(&mut line)
            .context("hearing a holder")?;
        ensure!(line.trim() == word, "a holder of connections ended: {line:?}");
        Ok(())
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.input.take());
        let _ended = self.process.wait();
    }
}

/// Hold connections of which both ends are here.
#[derive(Args)]
pub(crate) struct Options {}

/// A holder.
pub(crate) fn hold() -> anyhow::Result<ExitCode> {
    let hello = traffic::hello()?;
    let (first, rest) = hello.split_at(hello.len() / 2);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listening on loopback")?;
    let address = listener.local_addr().context("where it listens")?;
    let mut open = Vec::new();
    for _ in 0..CONNECTIONS_EACH {
        let client = TcpStream::connect(address).context("connecting")?;
        let (server, _) = listener.accept().context("taking a connection")?;
        // Its port is free again at once.
        set_socket_linger(&client, Some(Duration::ZERO)).context("setting an option")?;
        open.push((client, server));
    }
    println!("open");
    for line in std::io::stdin().lines() {
        if line.context("being asked")? == "send" {
            for part in [first, rest] {
                for (client, _) in &mut open {
                    client.write_all(part).context("sending")?;
                }
            }
            println!("sent");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens them all, and how many bytes of the kernel's memory they took.
fn open(interrupt: &Interrupt) -> anyhow::Result<(Vec<Holder>, i64)> {
    let before = slab_bytes()?;
    let mut holders = Vec::new();
    for _ in 0..HOLDERS {
        interrupt.check()?;
        holders.push(Holder::start()?);
    }
    Ok((holders, slab_bytes()? - before))
}

/// What so many connections take where nothing watches.
pub(super) fn unwatched(interrupt: &Interrupt) -> anyhow::Result<i64> {
    let (_holders, bytes) = open(interrupt)?;
    Ok(bytes)
}

/// The same with the sensor, and what each then says is seen.
pub(super) fn run(sensor: &Sensor<'_>, unwatched_bytes: i64, interrupt: &Interrupt) -> anyhow::Result<Many> {
    let counted = |sensor: &Sensor<'_>| account(&sensor.status()?);
    let (seen_before, lost_before) = counted(sensor)?;
    let (mut holders, watched_bytes) = open(interrupt)?;
    for holder in &mut holders {
        holder.send()?;
    }
    sensor.flush()?;
    let (seen, lost) = counted(sensor)?;
    Ok(Many {
        connections: CONNECTIONS,
        seen: seen - seen_before,
        lost: lost - lost_before,
        bytes_each: (watched_bytes - unwatched_bytes) / CONNECTIONS,
    })
}

/// What was seen by the probe, and lost.
fn account(status: &Value) -> anyhow::Result<(u64, u64)> {
    let probes = status["probes"].as_array().context("the status has no probes")?;
    let network = probes
        .iter()
        .find(|one| one["probe"] == "network")
        .context("the status has no probe of the network")?;
    let lost = network["lost"]
        .as_object()
        .map(|lost| lost.values().filter_map(Value::as_u64).sum())
        .unwrap_or_default();
    Ok((network["seen"].as_u64().context("no count")?, lost))
}

/// Bytes of the kernel's slabs, from /proc/meminfo.
fn slab_bytes() -> anyhow::Result<i64> {
    let text = fs::read_to_string("/proc/meminfo").context("reading /proc/meminfo")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("SUnreclaim:"))
        .context("/proc/meminfo has no SUnreclaim")?;
    let kib: i64 = line
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .context("reading SUnreclaim")?;
    Ok(kib * 1024)
}
