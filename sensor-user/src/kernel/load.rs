//! Loading: the object, then for each probe the first hook that is seen to work.

use std::{ffi::OsString, io, path::PathBuf};

use aya::{Btf, Ebpf, EbpfLoader, maps::RingBuf};
use claviger_sensor_common::{OBJECTS_MAX, Probe, RING_BYTES};
use rustix::process::{Resource, Rlimit, setrlimit};
use zerocopy::IntoBytes as _;

use super::{
    Accounts, Attached, Endpoints, Fill, KernelError, Labeller, Layers, NO_LAYERS, OBJECT, OpenDescriptors,
    OwnBpf, ProbeState, Records, Repeats, SecretNames, attach::Attacher, canary::judge_process_probes,
    functions::with_read_only_cast, offsets, open_descriptors, own_threads, preconditions,
    private_mounts::with_private_mounts,
};
use crate::config::FileOpenHook;

/// How to load.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Hooks for file opens, best first; the first that works is used.
    pub file_open_hooks: Vec<FileOpenHook>,
    /// Whether opens by 32-bit system calls are looked for where opens are seen by tracepoints: it costs something on every system call.
    pub compat_calls: bool,
    /// Whether connections are watched: it costs something on every one.
    pub network: bool,
    /// Bytes of the ring of records: a power of two, and a multiple of the page size.
    pub ring_bytes: u32,
    /// Files labelled at once.
    pub max_labelled_files: u32,
    /// A program that ends at once, and its arguments: started to see whether the process probes work.
    pub canary_command: Vec<OsString>,
    /// The kernel's BTF.
    pub btf: PathBuf,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            file_open_hooks: vec![FileOpenHook::Lsm, FileOpenHook::Fentry, FileOpenHook::Tracepoint],
            compat_calls: false,
            network: false,
            ring_bytes: RING_BYTES,
            max_labelled_files: OBJECTS_MAX,
            canary_command: vec!["/bin/true".into()],
            btf: "/sys/kernel/btf/vmlinux".into(),
        }
    }
}

/// The kernel half at work.
pub struct Kernel {
    /// To be kept for as long as the kernel is to be watched.
    pub attached: Attached,
    /// What the kernel reports.
    pub records: Records,
    /// Sets labels.
    pub labeller: Labeller,
    /// Tells the kernel half how overlayfs keeps its layers.
    pub layers: Layers,
    /// The kernel half's accounts.
    pub accounts: Accounts,
    /// How often uses were repeated.
    pub repeats: Repeats,
    /// Sets the names of credentials in environments and arguments.
    pub secret_names: SecretNames,
    /// Sets where token endpoints are.
    pub endpoints: Endpoints,
    /// How full the maps are.
    pub fill: Fill,
    /// What of the kernel's is the sensor's own.
    pub own: OwnBpf,
    /// Looks through all open descriptors; nothing where this kernel does not let it.
    pub open_descriptors: Option<OpenDescriptors>,
    /// How each probe came out.
    pub probes: Vec<ProbeState>,
    /// The active LSMs, in order; nothing where that cannot be read.
    pub active_lsms: Option<String>,
}

impl Kernel {
    /// Loads and attaches. Blocks for some seconds, for most of which the kernel verifies programs; must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`KernelError`]: whatever makes watching here impossible, with what to do about it.
    pub fn load(options: &LoadOptions) -> Result<Self, KernelError> {
        preconditions::check()?;
        let offsets = offsets::resolve(&options.btf)?;
        // Kernels before 6.2 do not have it; they are watched by programs that do without.
        let cast = offsets::function(&options.btf, "bpf_rdonly_cast").ok();
        let object = with_read_only_cast(OBJECT, cast);
        raise_memlock();
        #[cfg(feature = "debug-logs")]
        let runtime = tokio::runtime::Handle::current();
        let (
            attached,
            ring,
            labeller,
            layers,
            accounts,
            repeats,
            secret_names,
            endpoints,
            fill,
            own,
            open_descriptors,
            probes,
            active_lsms,
        ) = with_private_mounts(|| {
            let mut ebpf = EbpfLoader::new()
                .override_global("OFFSETS", offsets.as_bytes(), true)
                .override_global("AGENT_PID", &std::process::id(), true)
                .override_global("RING_SIZE", &options.ring_bytes, true)
                .map_max_entries("EVENTS", options.ring_bytes)
                .map_max_entries("OBJECTS", options.max_labelled_files)
                .load(&object)
                .map_err(|source| KernelError::Object(Box::new(source)))?;
            let ring = take_ring(&mut ebpf)?;
            let mut labeller = Labeller::new(&mut ebpf)?;
            let secret_names = SecretNames::new(&mut ebpf)?;
            let mut endpoints = Endpoints::new(&mut ebpf)?;
            let layers = Layers::new(&mut ebpf, options.btf.clone())?;
            let btf = Btf::from_sys_fs()
                .map_err(|source| KernelError::Object(Box::new(aya::EbpfError::BtfError(source))))?;
            let mut attach = Attacher::new(&mut ebpf, &btf);
            let (level, mut file_open) =
                attach.file_open(&options.file_open_hooks, options.compat_calls, &mut labeller)?;
            if !layers.are_known() {
                file_open.cannot_see.push(NO_LAYERS.to_owned());
            }
            let mut probes = vec![file_open];
            probes.extend(attach.others(level, &mut labeller));
            probes.extend(attach.process(&options.canary_command));
            if options.network {
                probes.push(attach.network(level, &mut labeller));
            }
            let (attached, programs) = attach.finish();
            if let Some(network) = probes
                .iter_mut()
                .find(|state| state.probe == Probe::Network && state.hook.is_some())
            {
                let unseen = endpoints.with_live_sockets(&mut ebpf, &btf);
                network.cannot_see.extend(unseen.map(str::to_owned));
            }
            own_threads::announce(&mut ebpf)?;
            let accounts = Accounts::new(&mut ebpf, programs)?;
            let repeats = Repeats::new(&mut ebpf)?;
            let found = open_descriptors::load(&mut ebpf, &btf, &mut labeller);
            let open_descriptors = match found.hook {
                Some(_) => Some(OpenDescriptors::new(&mut ebpf)?),
                None => None,
            };
            probes.push(found);
            let own = OwnBpf::announce(&mut ebpf)?;
            let fill = Fill::new(&own)?;
            judge_process_probes(&mut probes, &accounts, &options.canary_command)?;
            #[cfg(feature = "debug-logs")]
            super::debug_logs::start(&mut ebpf, &runtime);
            Ok((
                attached,
                ring,
                labeller,
                layers,
                accounts,
                repeats,
                secret_names,
                endpoints,
                fill,
                own,
                open_descriptors,
                probes,
                preconditions::active_lsms(),
            ))
        })?;
        Ok(Self {
            attached,
            records: Records::new(ring, options.ring_bytes)?,
            labeller,
            layers,
            accounts,
            repeats,
            secret_names,
            endpoints,
            fill,
            own,
            open_descriptors,
            probes,
            active_lsms,
        })
    }
}

/// Kernels before 5.11 charge maps to this limit. Where it may not be raised, later ones do not mind.
fn raise_memlock() {
    if let Err(error) = setrlimit(
        Resource::Memlock,
        Rlimit {
            current: None,
            maximum: None,
        },
    ) {
        tracing::debug!(%error, "RLIMIT_MEMLOCK stays as it is; kernels from 5.11 on do not need it raised");
    }
}

fn take_ring(ebpf: &mut Ebpf) -> Result<RingBuf<aya::maps::MapData>, KernelError> {
    let map = ebpf
        .take_map("EVENTS")
        .ok_or_else(|| KernelError::io("finding map EVENTS")(io::ErrorKind::NotFound.into()))?;
    RingBuf::try_from(map).map_err(|source| KernelError::Map {
        name: "EVENTS",
        source: Box::new(source),
    })
}
