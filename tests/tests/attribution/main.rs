//! Processes that are hard to attribute: who reads a decoy is told rightly, whatever it does to be taken for another.

mod cases;
mod forged;
mod interpreters;
mod loaded_code;
mod programs;
mod service;
