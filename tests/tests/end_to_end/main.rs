//! The whole way: a process opens a credential file, the detector stores a finding.

mod arrival;
mod cores;
mod flood;
mod host;
mod neighbours;
mod refusals;
mod secrets;
