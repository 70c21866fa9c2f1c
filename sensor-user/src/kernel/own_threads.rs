//! Tells the kernel half which threads of the sensor ran before it looked at what is created.

use std::{fs, io};

use aya::{
    Ebpf,
    maps::{HashMap, MapData},
};

use super::KernelError;

/// Call after what sees processes created is attached, so that no thread falls between.
pub(super) fn announce(ebpf: &mut Ebpf) -> Result<(), KernelError> {
    const NAME: &str = "AGENT_THREADS";
    let map = ebpf
        .take_map(NAME)
        .ok_or_else(|| KernelError::io(format!("finding map {NAME}"))(io::ErrorKind::NotFound.into()))?;
    let unusable = |source| KernelError::Map {
        name: NAME,
        source: Box::new(source),
    };
    let mut map: HashMap<MapData, u32, u32> = HashMap::try_from(map).map_err(unusable)?;
    let threads = fs::read_dir("/proc/self/task").map_err(KernelError::io("listing the sensor's threads"))?;
    for thread in threads.flatten() {
        if let Some(id) = thread
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        {
            map.insert(id, 0, 0).map_err(unusable)?;
        }
    }
    Ok(())
}
