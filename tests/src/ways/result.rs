//! What came of a way, for people and for `docs/coverage.md`.

use std::{env, fs, io::Write as _};

use serde_json::json;

use super::{Cell, Level, Required, Sees, State, Way};

/// Names the file that takes the results, one JSON object a line.
const VARIABLE: &str = "CLAVIGER_COVERAGE";

/// What came of a way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Seen as it must be; for what is no use: not reported.
    Right,
    /// Not seen as it must be, for this reason.
    Wrong(String),
    /// This machine cannot do it, for this reason.
    CannotRun(String),
}

impl Outcome {
    /// A word for the results.
    fn word(&self, way: &Way, level: Level, cell: Option<Cell>) -> &'static str {
        match self {
            Self::Right if way.sees == Sees::Nothing => "not reported",
            Self::Right => "seen",
            Self::Wrong(_) if cell == Some(Cell::Cannot) => "cannot",
            Self::Wrong(_) if level.state(way) == State::NotYet => "not yet",
            Self::Wrong(_) => "missed",
            Self::CannotRun(_) => "cannot run here",
        }
    }

    /// What is wrong with it, given what the table says.
    #[must_use]
    pub fn complaint(&self, way: &Way, level: Level, cell: Option<Cell>) -> Option<String> {
        if cell == Some(Cell::Cannot) {
            let seen = *self == Self::Right;
            return seen.then(|| format!("{}: cannot be seen, says a decision, and is seen", way.name));
        }
        match (self, level.state(way)) {
            (Self::Wrong(why), State::Built) => Some(format!(
                "{}: is marked Built for {} and: {why}",
                way.name,
                level.word()
            )),
            (Self::Right, State::NotYet) => Some(format!(
                "{}: is marked NotYet for {} and is seen as it must be: mark it Built",
                way.name,
                level.word()
            )),
            _ => None,
        }
    }
}

/// Writes the results where the environment says, if it does.
///
/// # Panics
/// Where that file cannot be written.
pub fn write(level: Level, kernel: &str, results: &[(Way, Outcome)]) {
    let Some(path) = env::var_os(VARIABLE) else {
        return;
    };
    let required = Required::read();
    let mut text = String::new();
    for (way, outcome) in results {
        let row = if way.row.is_empty() {
            ""
        } else {
            required.row(way.row).0
        };
        let why = match outcome {
            Outcome::CannotRun(why) => why.as_str(),
            Outcome::Right | Outcome::Wrong(_) => "",
        };
        let line = json!({
            "way": way.name,
            "row": row,
            "level": level.word(),
            "kernel": kernel,
            "result": outcome.word(way, level, required.cell(way, level)),
            "why": why,
        });
        text.push_str(&line.to_string());
        text.push('\n');
    }
    // Behind those of another level.
    fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .expect("the file for results is writable");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_that_is_not_true_is_complained_of() {
        let ways = super::super::all();
        let way = |state| Way {
            states: [state; 3],
            ..ways[0]
        };
        let wrong = Outcome::Wrong("no event".into());
        let (level, must) = (Level::Lsm, Some(Cell::Must));
        assert!(wrong.complaint(&way(State::Built), level, must).is_some());
        assert!(wrong.complaint(&way(State::NotYet), level, must).is_none());
        assert!(
            Outcome::Right
                .complaint(&way(State::Built), level, must)
                .is_none()
        );
        assert!(
            Outcome::Right
                .complaint(&way(State::NotYet), level, must)
                .is_some()
        );
        let cannot_run = Outcome::CannotRun("no".into());
        assert!(cannot_run.complaint(&way(State::Built), level, must).is_none());
        let cannot = Some(Cell::Cannot);
        assert!(wrong.complaint(&way(State::Built), level, cannot).is_none());
        assert!(
            Outcome::Right
                .complaint(&way(State::Built), level, cannot)
                .is_some()
        );
    }
}
