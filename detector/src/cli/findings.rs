//! `findings`.

use clap::Args;

use super::Which;
use super::output::Output;
use crate::store::db::Database;

#[derive(Args, Debug)]
pub(super) struct Findings {
    #[command(flatten)]
    which: Which,
    /// Show the newest N
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
        let found = database.rows().findings_before(i64::MAX, self.limit)?;
        for stored in found.iter().rev() {
            output.finding(&stored.finding)?;
        }
        if found.is_empty() && !self.json {
            anstream::eprintln!("no findings");
        }
        Ok(())
    }
}
