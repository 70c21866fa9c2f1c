//! The whole way: a process opens a credential file, the detector stores a finding.

mod accounts;
mod agent_sockets;
mod answered;
mod arrival;
mod cores;
mod flood;
mod generator;
mod host;
mod hotplug;
mod metrics;
mod neighbours;
mod network;
mod raced;
mod refusals;
mod removal;
mod restart;
mod secrets;
