//! Turns events, findings and tables into text: for people, and as JSON lines.
//!
//! - Nothing here reads or writes; values in, text out.
//! - What came from a host (paths, names) may hold anything: for people every control character and every character that changes
//!   the direction of text is written out, so nothing from a host can steer a terminal. JSON carries them escaped.
//! - Styles are always in the text for people; whoever prints it takes them out where the output is no terminal.

mod clean;
mod event;
mod finding;
pub mod json;
mod parts;
mod style;
mod table;

pub use clean::{clean, clean_lines};
pub use event::event;
pub use finding::finding;
pub use table::table;
