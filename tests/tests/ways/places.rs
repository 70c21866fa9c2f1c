//! What a way is done to, made before the sensor starts.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, symlink},
    path::{Path, PathBuf},
};

use claviger_tests::{
    Decoy, Sensor,
    ways::{Place, Programs, SensorPart, Way},
};

const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nwJalrXUtnFEMI/K7MDENG/bPxRfiCYDECOYSECRET\n-----END OPENSSH PRIVATE KEY-----\n";
const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6YTpiIn0.";
const NONE: &str = "this machine has none";

/// The arguments of a way's program, and the paths by which its object is known.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) object: String,
    pub(crate) other: String,
    /// Where the object lies, where that is a path.
    file: Option<PathBuf>,
    /// Where it lies when the way is done, if elsewhere.
    moved: Option<PathBuf>,
    inode: Option<u64>,
}

impl Target {
    /// The object's inodes: from before the way, and now.
    pub(crate) fn inodes(&self) -> Vec<u64> {
        let now = self.moved.as_deref().or(self.file.as_deref());
        self.inode.into_iter().chain(now.and_then(inode)).collect()
    }
}

fn inode(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|facts| facts.ino())
}

fn text(path: &Path) -> String {
    path.to_str().expect("decoys have plain names").to_owned()
}

/// Makes the decoys of a way.
pub(crate) fn make(decoy: &Decoy, way: &Way) {
    let name = way.name;
    match way.place {
        Place::Key => decoy.write(&format!(".ssh/id_{name}"), KEY),
        Place::Copied => decoy.write(".ssh/id_copied", KEY),
        Place::Token => {
            decoy.write(&format!(".kube/cache/{name}/..1/token"), TOKEN);
            let directory = decoy.path(&format!(".kube/cache/{name}"));
            symlink("..1", directory.join("..data")).expect("linked");
            symlink("..data/token", directory.join("token")).expect("linked");
        }
        Place::Session => decoy.write(&session(name), TOKEN),
        // The directory above is there.
        Place::NoSession => decoy.write(&session("another"), TOKEN),
        Place::OtherDirectory | Place::OtherFile => {
            fs::create_dir_all(decoy.beside(name)).expect("a directory");
            fs::write(decoy.beside(name).join("file"), "nothing\n").expect("written");
        }
        Place::NoKey
        | Place::Written
        | Place::KeyDirectory
        | Place::Device(_)
        | Place::BlockDevice
        | Place::Sensor(_)
        | Place::Nowhere => {}
    }
    if way.program.starts_with("core_dump") {
        fs::create_dir_all(decoy.beside(name)).expect("a directory");
    }
}

/// Where it is done.
///
/// # Errors
/// Why this machine has no such thing.
pub(crate) fn target(
    decoy: &Decoy,
    programs: &Programs,
    sensor: Option<&Sensor>,
    way: &Way,
) -> Result<Target, String> {
    let name = way.name;
    let beside = decoy.beside(name);
    let mut other = text(&beside);
    let mut moved = None;
    let file = match way.place {
        Place::Key | Place::NoKey => decoy.path(&format!(".ssh/id_{name}")),
        Place::Token => {
            let directory = decoy.path(&format!(".kube/cache/{name}"));
            other = text(&directory);
            directory.join("token")
        }
        Place::Session | Place::NoSession => decoy.path(&session(name)),
        Place::Written => decoy.path(".aws/credentials"),
        Place::Copied => decoy.beside("copied"),
        Place::KeyDirectory => decoy.path(".ssh"),
        Place::OtherDirectory => beside.clone(),
        Place::OtherFile => beside.join("file"),
        Place::Device(path) => PathBuf::from(path),
        Place::BlockDevice => block_device().ok_or(NONE)?,
        Place::Sensor(part) => return sensor_part(sensor.ok_or(NONE)?, part, other),
        Place::Nowhere => PathBuf::new(),
    };
    if way.program.starts_with("program32") {
        other = text(&programs.program32());
    } else if way.program == "overlay_copied_up" {
        moved = Some(beside.join("empty").join(format!("id_{name}")));
    } else if matches!(way.program, "created_renamed" | "replaced_renamed") {
        moved = Some(beside.clone());
    }
    Ok(Target {
        object: text(&file),
        other,
        inode: inode(&file),
        file: Some(file),
        moved,
    })
}

fn session(name: &str) -> String {
    format!(".oci/sessions/{name}/token")
}

/// The device of a file system that is mounted.
fn block_device() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let devices = mounts.lines().filter_map(|line| line.split(' ').next());
    devices
        .filter(|device| device.starts_with("/dev/"))
        .map(PathBuf::from)
        .find(|device| device.exists())
}

fn sensor_part(sensor: &Sensor, part: SensorPart, other: String) -> Result<Target, String> {
    let pid = sensor.status()["pid"].as_u64().expect("a number");
    let file = match part {
        SensorPart::Config => Some(sensor.config().to_owned()),
        SensorPart::State => first_file(&sensor.state()),
        SensorPart::Key => Some(sensor.state().join("identity/signing.key")),
        SensorPart::Program => fs::read_link(format!("/proc/{pid}/exe")).ok(),
        SensorPart::Pid | SensorPart::Link | SensorPart::Map => None,
    };
    let object = match part {
        SensorPart::Pid => pid.to_string(),
        SensorPart::Link => bpf_id(pid, "link_id:", |_| true).ok_or(NONE)?,
        SensorPart::Map => bpf_id(pid, "map_id:", is_written).ok_or(NONE)?,
        SensorPart::Config | SensorPart::State | SensorPart::Program | SensorPart::Key => {
            text(file.as_deref().ok_or(NONE)?)
        }
    };
    Ok(Target {
        object,
        other,
        inode: file.as_deref().and_then(inode),
        file,
        moved: None,
    })
}

fn first_file(directory: &Path) -> Option<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(directory)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths.iter().find(|path| path.is_file()).cloned().or_else(|| {
        paths
            .iter()
            .filter(|path| path.is_dir())
            .find_map(|path| first_file(path))
    })
}

/// The first id of this sort among the sensor's own descriptors: other sensors run beside it.
fn bpf_id(pid: u64, key: &str, is_one: fn(&str) -> bool) -> Option<String> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fdinfo")).ok()?;
    let mut found = descriptors
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path()).ok());
    found.find_map(|facts| {
        let id = facts.lines().find_map(|line| line.strip_prefix(key))?;
        is_one(&facts).then(|| id.trim().to_owned())
    })
}

/// Whether a map is a table of hashes or an array, and not frozen: one that a call could write.
fn is_written(facts: &str) -> bool {
    let is = |key, values: &[&str]| {
        let value = facts.lines().find_map(|line| line.strip_prefix(key));
        value.is_some_and(|value| values.contains(&value.trim()))
    };
    is("map_type:", &["1", "2"]) && is("frozen:", &["0"])
}
