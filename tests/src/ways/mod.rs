//! Every way to a credential that docs/coverage-required.md names, each done once by a small program, and what a sensor must say of it.
//!
//! - The programs are C (`tests/ways-c/`), carried by the tests and put into a temporary directory. Each says itself what it did; the sensor is
//!   judged by that and never the other way round.
//! - In each way one process, the actor, does one thing that a sensor can see; whatever had to be set up is done by another. So *exactly one
//!   event* of the actor is a rule without exceptions, and a second event is a failure.
//! - What must be seen on which level stands in the document alone; the table here names its rows. What is not built yet is marked
//!   [`State::NotYet`] in the table, by level. A way that is marked and seen fails the test, so the mark goes with the commit that builds it.

mod judge;
mod program;
mod required;
mod result;
mod table;
mod way;

pub use judge::{Done, judge};
pub use program::{Did, Programs, Running};
pub use required::{Cell, Level, Required};
pub use result::{Outcome, write};
pub use table::all;
pub use way::{Place, Sees, SensorPart, State, Way, When};
