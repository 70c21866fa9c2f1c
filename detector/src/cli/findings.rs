//! `findings`.

use clap::Args;

use super::Which;
use super::output::{Output, more};
use crate::store::db::Database;

#[derive(Args, Debug)]
pub(super) struct Findings {
    #[command(flatten)]
    which: Which,
    /// Show the newest N; where there are older ones, a line on standard error says so
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Print {"finding":{…}}, one a line
    #[arg(long)]
    json: bool,
}

impl Findings {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let database = Database::open_to_read(&self.which.directory()?.database())?;
        let output = Output::new(self.json);
        let found = database
            .rows()
            .findings_before(i64::MAX, self.limit.saturating_add(1))?;
        let (shown, older) =
            found.split_at(found.len().min(usize::try_from(self.limit).unwrap_or(usize::MAX)));
        for stored in shown.iter().rev() {
            output.finding(&stored.finding)?;
        }
        if !older.is_empty() {
            more("findings", self.limit);
        }
        if found.is_empty() && !self.json {
            anstream::eprintln!("no findings");
        }
        Ok(())
    }
}
