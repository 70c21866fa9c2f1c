//! At the bounds, and beyond them: what does not answer, what is too much, and what is not what it seems.

#[path = "../catalogue/host.rs"]
mod host;

mod containers;
mod full;
mod hanging;
mod many;
mod nfs;
mod reload;
mod reuse;
mod silent;
mod slices;
