//! `token new` and `token list`.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::Which;
use super::output::line;
use crate::clock::{Clock as _, SystemClock, to_the_second};
use crate::enrol::{Authority, TokenState, make_token};
use crate::show;
use crate::store::db::Database;

const MAX_TTL: Duration = Duration::from_secs(30 * 24 * 3_600);

#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Make a token that enrols one sensor. It is shown once: only a hash of it is kept
    New(New),
    /// List tokens, without their secrets
    List(List),
}

#[derive(Args, Debug)]
pub(super) struct New {
    #[command(flatten)]
    which: Which,
    /// How long it can be used, as 15m, 1h or 2d; 30d at most
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = ttl)]
    ttl: Duration,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(super) struct List {
    #[command(flatten)]
    which: Which,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// A number and a unit: `90s`, `15m`, `1h`, `2d`.
fn ttl(text: &str) -> Result<Duration, String> {
    let wrong = || "give a time such as 15m, 1h or 2d".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds_each: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    match Duration::from_secs(number.saturating_mul(seconds_each)) {
        ttl if ttl >= Duration::from_secs(1) && ttl <= MAX_TTL => Ok(ttl),
        _ => Err("must be between 1s and 30d".into()),
    }
}

#[derive(Serialize)]
struct Made<'a> {
    token: &'a str,
    id: &'a str,
    expires: String,
}

#[derive(Serialize)]
struct Listed<'a> {
    id: &'a str,
    state: &'static str,
    created: String,
    expires: String,
    used: Option<String>,
    used_by: Option<&'a str>,
}

impl Token {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::New(command) => command.run(),
            Self::List(command) => command.run(),
        }
    }
}

impl New {
    fn run(self) -> anyhow::Result<()> {
        let directory = self.which.made_directory()?;
        let now = SystemClock.now();
        let is_new = !Authority::is_in(&directory)?;
        let authority = Authority::open(&directory, now)?;
        let mut database = Database::open(&directory.database())?;
        let made = make_token(&mut database, &authority, self.ttl, now)?;
        if is_new {
            anstream::eprintln!(
                "made a new authority in {}: a detector takes this token only where it serves from there; give it the same --data-dir",
                directory.root().display()
            );
        }
        if self.json {
            let made = Made {
                token: &made.text,
                id: &made.id,
                expires: made.expires.to_string(),
            };
            line(&show::json::line(&made))?;
        } else {
            line(&made.text)?;
            anstream::eprintln!(
                "enrols one sensor until {}; it is not shown again",
                to_the_second(made.expires)
            );
        }
        Ok(())
    }
}

impl List {
    fn run(self) -> anyhow::Result<()> {
        let database = Database::open_to_read(&self.which.directory()?.database())?;
        let now = SystemClock.now();
        let tokens = database.rows().tokens()?;
        if self.json {
            for token in &tokens {
                line(&show::json::line(&Listed {
                    id: &token.id,
                    state: TokenState::of(token, now).word(),
                    created: token.created.to_string(),
                    expires: token.expires.to_string(),
                    used: token.used.map(|used| used.to_string()),
                    used_by: token.used_by.as_deref(),
                }))?;
            }
            return Ok(());
        }
        if tokens.is_empty() {
            anstream::eprintln!("no tokens; make one with `claviger-detector token new`");
            return Ok(());
        }
        let rows: Vec<_> = tokens
            .iter()
            .map(|token| {
                let state = TokenState::of(token, now).word().to_owned();
                let used_by = token.used_by.clone().unwrap_or_else(|| "-".into());
                [token.id.clone(), state, to_the_second(token.expires), used_by]
            })
            .collect();
        line(show::table(["TOKEN", "STATE", "EXPIRES", "USED BY"], &rows).trim_end())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_to_live_are_read_as_people_write_them() {
        assert_eq!(ttl("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(ttl("1h"), Ok(crate::enrol::DEFAULT_TTL));
        assert_eq!(ttl("2d"), ttl("48h"));
        for wrong in ["", "15", "0s", "-1h", "31d", "1hh", "ä", "soon"] {
            assert!(ttl(wrong).is_err(), "{wrong}");
        }
    }
}
