//! PID 1 of the VMs that `cargo xtask vm` boots: mounts what a host has, runs every test binary, says how each ended, powers off.
//!
//! - Every line of its own begins with `claviger-vm: `. `NAME exit N`, `coverage JSON` and `verdict ok|failed` are read by xtask; any other such
//!   line is a complaint and counts as a failure.
//! - tracefs and securityfs are not mounted: on a real host nobody promises them either.
//! - It powers off whatever happens, so that a broken image costs seconds and not the time limit.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::mount::{MountFlags, mount};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, recv, sendto, socket};
use rustix::process::{Pid, WaitOptions, wait};
use rustix::system::{RebootCommand, finit_module, reboot};

const PROGRAMS: &str = "/opt/claviger";
const TESTS: &str = "/opt/claviger/tests";
const MODULES: &str = "/opt/claviger/modules";
const FILE_SYSTEM: &str = "/opt/claviger/ext4.img";
const BLOCK_DEVICE: &str = "/dev/ram0";
/// Where the ways to a credential leave their results.
const COVERAGE: &str = "/run/coverage.jsonl";
const EXPECT_HOOK: &str = "claviger.expect_hook=";
/// Names of the test binaries to run, with commas, each with the names of tests behind slashes where it is not to run all; all without it.
const ONLY: &str = "claviger.tests=";

/// Type, place, options.
const MOUNTS: [(&str, &str, &str); 7] = [
    ("proc", "/proc", ""),
    ("sysfs", "/sys", ""),
    ("devtmpfs", "/dev", ""),
    ("tmpfs", "/tmp", "mode=1777"),
    ("tmpfs", "/run", "mode=0755"),
    ("cgroup2", "/sys/fs/cgroup", ""),
    ("bpf", "/sys/fs/bpf", ""),
];

fn main() {
    let verdict = match run() {
        Ok(true) => "ok",
        Ok(false) => "failed",
        Err(error) => {
            println!("claviger-vm: {error}");
            "failed"
        }
    };
    println!("claviger-vm: verdict {verdict}");
    rustix::fs::sync();
    if let Err(error) = reboot(RebootCommand::PowerOff) {
        println!("claviger-vm: powering off: {error}");
    }
}

fn run() -> Result<bool, Box<dyn Error>> {
    for (kind, place, options) in MOUNTS {
        fs::create_dir_all(place).map_err(|error| format!("creating {place}: {error}"))?;
        let options = std::ffi::CString::new(options)?;
        mount(kind, place, kind, MountFlags::empty(), Some(options.as_c_str()))
            .map_err(|error| format!("mounting {place}: {error}"))?;
    }
    loopback_up().map_err(|error| format!("bringing lo up: {error}"))?;
    let command_line = fs::read_to_string("/proc/cmdline")?;
    let argument = |name| {
        command_line
            .split_whitespace()
            .find_map(|word| word.strip_prefix(name))
    };
    let hook = argument(EXPECT_HOOK).unwrap_or_default();
    let only = argument(ONLY);
    load_modules()?;
    mount_block_device()?;
    let mut all_well = true;
    for test in tests()? {
        let name = test.file_name().unwrap_or_default().display().to_string();
        let Some(filters) = filters(only, &name) else {
            continue;
        };
        println!("test binary {name}");
        let code = run_test(&test, &filters, hook)?;
        println!("claviger-vm: {name} exit {code}");
        all_well &= code == 0;
    }
    for result in fs::read_to_string(COVERAGE).unwrap_or_default().lines() {
        println!("claviger-vm: coverage {result}");
    }
    Ok(all_well)
}

/// Which tests of a binary are to be run: nothing where none, no names where all.
fn filters<'a>(only: Option<&'a str>, name: &str) -> Option<Vec<&'a str>> {
    let Some(only) = only else {
        return Some(Vec::new());
    };
    let of_it: Vec<Vec<&str>> = only
        .split(',')
        .map(|one| one.split('/').collect::<Vec<_>>())
        .filter(|words| words.first() == Some(&name))
        .map(|words| words[1..].to_vec())
        .collect();
    // One that names no test names them all.
    let all = of_it.iter().any(Vec::is_empty);
    (!of_it.is_empty()).then(|| if all { Vec::new() } else { of_it.concat() })
}

/// Of the modules that came with this kernel those that every test may need; a test that needs another loads it.
fn load_modules() -> Result<(), Box<dyn Error>> {
    const COMPRESSED: i32 = 4;
    let Ok(modules) = fs::read_dir(MODULES) else {
        return Ok(());
    };
    for module in modules {
        let path = module?.path();
        let is = |name: &str| {
            path.file_name()
                .is_some_and(|file| file.to_string_lossy().starts_with(name))
        };
        if !is("brd.") && !is("overlay.") {
            continue;
        }
        let options = if is("brd.") { c"rd_nr=1 rd_size=1024" } else { c"" };
        let flags = if is("brd.ko.") || is("overlay.ko.") {
            COMPRESSED
        } else {
            0
        };
        let file = fs::File::open(&path).map_err(|error| format!("opening {}: {error}", path.display()))?;
        finit_module(file, options, flags).map_err(|error| format!("loading {}: {error}", path.display()))?;
    }
    Ok(())
}

/// A file system on a block device of memory, for the way that reads the device.
fn mount_block_device() -> Result<(), Box<dyn Error>> {
    if !Path::new(FILE_SYSTEM).exists() || !Path::new(BLOCK_DEVICE).exists() {
        return Ok(());
    }
    fs::write(BLOCK_DEVICE, fs::read(FILE_SYSTEM)?)
        .map_err(|error| format!("writing {BLOCK_DEVICE}: {error}"))?;
    fs::create_dir_all("/mnt")?;
    mount(BLOCK_DEVICE, "/mnt", "ext4", MountFlags::RDONLY, None)
        .map_err(|error| format!("mounting {BLOCK_DEVICE}: {error}"))?;
    Ok(())
}

fn tests() -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let entries = fs::read_dir(TESTS).map_err(|error| format!("reading {TESTS}: {error}"))?;
    let mut tests = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    tests.sort();
    Ok(tests)
}

/// Runs it to its end, reaping on the way what others left behind, as PID 1 must.
fn run_test(test: &Path, filters: &[&str], hook: &str) -> Result<i32, Box<dyn Error>> {
    let child = Command::new(test)
        .arg("--test-threads=1")
        .args(filters)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/root")
        .env("TMPDIR", "/tmp")
        .env("RUST_BACKTRACE", "1")
        .env("CLAVIGER_VM", "1")
        .env("CLAVIGER_SENSOR_BIN", format!("{PROGRAMS}/claviger-sensor"))
        .env("CLAVIGER_DETECTOR_BIN", format!("{PROGRAMS}/claviger-detector"))
        .env("CLAVIGER_EXPECT_HOOK", hook)
        .env("CLAVIGER_COVERAGE", COVERAGE)
        .spawn()
        .map_err(|error| format!("starting {}: {error}", test.display()))?;
    let own = Pid::from_child(&child);
    loop {
        match wait(WaitOptions::empty())? {
            Some((pid, status)) if pid == own => {
                // As a shell gives it: the code, or 128 and the signal.
                let code = status
                    .exit_status()
                    .or_else(|| status.terminating_signal().map(|signal| 128 + signal));
                return Ok(code.unwrap_or(255));
            }
            _ => {}
        }
    }
}

/// Asks the kernel by netlink to set the loopback interface up: `RTM_NEWLINK` with `IFF_UP`. It gets its addresses by itself.
fn loopback_up() -> Result<(), Box<dyn Error>> {
    const RTM_NEWLINK: u16 = 16;
    const REQUEST_WITH_ACKNOWLEDGEMENT: u16 = 1 | 4;
    const LENGTH: u32 = 32;
    const LOOPBACK: i32 = 1;
    const IFF_UP: u32 = 1;
    let mut message = Vec::with_capacity(32);
    message.extend(LENGTH.to_ne_bytes());
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend(REQUEST_WITH_ACKNOWLEDGEMENT.to_ne_bytes());
    message.extend([0; 8]); // sequence and port
    message.extend([0; 4]); // family and type: any
    message.extend(LOOPBACK.to_ne_bytes());
    message.extend(IFF_UP.to_ne_bytes()); // the flags
    message.extend(IFF_UP.to_ne_bytes()); // which of them to change
    let socket = socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    sendto(
        &socket,
        &message,
        SendFlags::empty(),
        &SocketAddrNetlink::new(0, 0),
    )?;
    let mut answer = [0; 256];
    let (length, _) = recv(&socket, &mut answer, RecvFlags::empty())?;
    // Behind a header of 16 bytes stands the error, 0 for none.
    match answer.get(16..20).filter(|_| length >= 20) {
        Some([0, 0, 0, 0]) => Ok(()),
        _ => Err("the kernel refused".into()),
    }
}
