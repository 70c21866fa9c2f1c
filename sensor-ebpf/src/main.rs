//! The kernel half of the sensor: one file per family of hooks.
//!
//! - [`file_open`]: opens of credential files, by `lsm/file_open`, `fentry/security_file_open` or the exits of the open calls, with
//!   [`io_uring`] and [`compat_calls`] beside these; refused ones by [`attempts`] and [`handles`]; what the kernel opens
//!   itself by [`accounting`]
//! - [`changes`]: of names, lengths, modes, owners and attributes, by [`changed_objects`], [`changed_names`] and [`changed_paths`] (what these share: [`change_calls`]; as they begin: [`names_asked`]) and
//!   [`changes_ring`] (with [`changes_ring_ends`])
//! - [`fixed_files`]: files that are open in an io_uring and have no descriptor; [`ring_ends`]: what came of opens by io_uring whose completion is
//!   suppressed
//! - [`received`], [`mapped`]: descriptors from other processes, files mapped into memory
//! - [`directory_list`]: listings of directories of credentials
//! - [`copies`]: files that may become copies of a credential; [`sharers`]: who shares memory or open files with a process that has read one
//! - [`open_descriptors`], [`registered_rings`]: what is open already, or was come by in ways that no hook sees
//! - [`process`]: programs started (with the files they inherit open), processes created and ended
//! - [`process_files`], [`process_secrets`]: reaching for another process's memory and environment, or for all memory
//! - [`program`]: what a program start truly runs: a script, or what the dynamic loader loads
//! - [`program_secrets`]: programs started with a credential in their environment or arguments
//! - [`core_dump`]: cores of processes that may hold a credential
//! - [`kernel_keys`]: keys of the kernel's keyrings
//! - [`agent_sockets`]: connections to sockets of this host
//! - [`sockets`], [`packets`]: connections, and what is said on them in clear
//! - [`tamper`], [`tamper_bpf`], [`tamper_hold`], [`tamper_mounts`], [`tamper_setting`]: what is done to the sensor itself
//!
//! What all share: where the kernel keeps things ([`offsets`]), reading them ([`read`]), who acts ([`task`]), what it has open
//! ([`descriptors`], [`first_files`]), what it asked ([`arguments`], [`given`], [`user_ids`]) and whether the kernel was asked at all ([`begun`]), whether its paths are the agent's ([`agent_root`]), where a file lies ([`path`]), which file of its layers an overlay shows ([`overlay`]), what is known of objects ([`labels`]), whether
//! a file is one of these ([`file_use`], [`numbers`]), first use and repeats ([`repeats`], [`again`]), which processes may hold a credential ([`holders`]), and the accounts and records ([`report`]). [`abi`] holds nothing but the layout of what both halves share.
//!
//! Offsets are never taken from bindings: rustc emits no relocations for them, so another kernel would silently be read wrongly.
//! They come from the running kernel's BTF as frozen globals. Reads from typed pointers are checked against that BTF by the verifier.
#![no_std]
#![no_main]
#![feature(core_intrinsics, asm_experimental_arch)]
#![expect(internal_features, reason = "atomic_xadd: see report.rs")]

mod abi;
mod accounting;
mod actor;
mod again;
mod agent_root;
mod agent_sockets;
mod agent_threads;
mod arguments;
mod attempts;
mod begins;
mod begun;
mod change_calls;
mod changed_names;
mod changed_objects;
mod changed_paths;
mod changes;
mod changes_ring;
mod changes_ring_ends;
mod compat_calls;
mod copies;
mod core_dump;
mod descriptors;
mod directory_list;
mod file_open;
mod file_use;
mod first_files;
mod fixed_files;
mod given;
mod handles;
mod held_secrets;
mod holders;
mod io_uring;
mod ioctls;
mod kernel_keys;
mod labels;
mod live_sockets;
mod mapped;
mod named_objects;
mod names_asked;
mod numbers;
mod offsets;
mod open_descriptors;
mod overlay;
mod packet;
mod packets;
mod path;
mod pending_changes;
mod process;
mod process_files;
mod process_secrets;
mod program;
mod program_secrets;
mod read;
mod received;
mod registered_rings;
mod repeats;
mod report;
mod ring_ends;
mod senders;
mod sharers;
mod sockets;
mod tamper;
mod tamper_bpf;
mod tamper_hold;
mod tamper_mounts;
mod tamper_setting;
mod task;
mod user_ids;

/// The helpers used are open to GPL-compatible programs only, so this half is offered under the GPL too.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
static LICENSE: [u8; 4] = *b"GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier refuses a program from which this can be reached.
    loop {}
}
