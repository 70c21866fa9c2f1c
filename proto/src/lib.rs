//! The public contract of Claviger.
//!
//! `proto/claviger/v1/*.proto` define it; [`v1`] is the code made from them. Beside it stand the things that both ends must do alike
//! and that protobuf cannot say: the JSON form ([`json`]), the signed envelope ([`envelope`]), what credentials there are
//! ([`catalogue`]), which file a process truly runs ([`program_path`]), by which
//! variables a program loads code ([`code_variables`]), and in which words people are told what is told by both ([`endpoint_words`]).
//!
//! This crate does no input or output.
#![forbid(unsafe_code)]

pub mod catalogue;
pub mod envelope;
mod environment_code;
pub mod json;
mod network_words;
mod program;
mod shared;

pub use environment_code::{LIBRARY_PATH, code_variable, code_variables, loads_code_by};
pub use network_words::{agent_socket_words, asked_words, endpoint_words, relation_words};
pub use program::{carried, program_notes, program_path, program_words};
pub use shared::Shared;

/// Generated from the proto files; `tests/generated.rs` keeps it true.
#[allow(
    clippy::all,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    unused_qualifications,
    unreachable_pub,
    reason = "generated"
)]
pub mod v1 {
    include!("gen/claviger.v1.rs");
}

/// The encoded `FileDescriptorSet` of the package, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("gen/claviger.v1.fds");
