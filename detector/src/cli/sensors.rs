//! `sensors`.

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Which;
use super::output::line;
use crate::clock::to_the_second;
use crate::show;
use crate::store::db::{Database, SensorRow};

#[derive(Args, Debug)]
pub(super) struct Sensors {
    #[command(flatten)]
    which: Which,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Listed<'a> {
    sensor_id: String,
    host_name: &'a str,
    kernel: &'a str,
    sensor_version: &'a str,
    enrolled: String,
    last_seen: Option<String>,
    boot_id: Option<String>,
    last_sequence: Option<u64>,
    unexplained_breaks: usize,
    clock_offset_ms: Option<i64>,
    certificate_not_after: Option<String>,
}

impl Sensors {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let database = Database::open_to_read(&self.which.directory()?.database())?;
        let sensors = database.rows().sensors()?;
        if self.json {
            for sensor in &sensors {
                line(&show::json::line(&listed(sensor)))?;
            }
        } else if sensors.is_empty() {
            anstream::eprintln!("no sensor has enrolled; make a token with `claviger-detector token new`");
        } else {
            let heads = [
                "SENSOR",
                "HOST",
                "KERNEL",
                "LAST SEEN",
                "LAST EVENT",
                "CLOCK",
                "CERTIFICATE UNTIL",
            ];
            let rows: Vec<_> = sensors.iter().map(row).collect();
            line(show::table(heads, &rows).trim_end())?;
        }
        Ok(())
    }
}

fn listed(sensor: &SensorRow) -> Listed<'_> {
    let head = sensor.chain.head.as_ref();
    Listed {
        sensor_id: sensor.id.to_string(),
        host_name: &sensor.host_name,
        kernel: &sensor.kernel,
        sensor_version: &sensor.sensor_version,
        enrolled: sensor.enrolled.to_string(),
        last_seen: sensor.last_seen.map(|time| time.to_string()),
        boot_id: head.map(|head| head.boot.to_string()),
        last_sequence: head.map(|head| head.last_sequence),
        unexplained_breaks: sensor.chain.open.len(),
        clock_offset_ms: sensor.clock_offset_ms,
        certificate_not_after: sensor.certificate_not_after.map(|time| time.to_string()),
    }
}

fn row(sensor: &SensorRow) -> [String; 7] {
    let time = |time: Option<Timestamp>| time.map_or_else(|| "never".into(), to_the_second);
    let sequence = sensor
        .chain
        .head
        .as_ref()
        .map_or_else(|| "-".into(), |head| head.last_sequence.to_string());
    let clock = sensor
        .clock_offset_ms
        .map_or_else(|| "-".into(), |ms| offset(SignedDuration::from_millis(ms)));
    [
        sensor.id.to_string(),
        sensor.host_name.clone(),
        sensor.kernel.clone(),
        time(sensor.last_seen),
        sequence,
        clock,
        time(sensor.certificate_not_after),
    ]
}

fn offset(ahead: SignedDuration) -> String {
    let direction = if ahead.is_negative() { "behind" } else { "ahead" };
    format!("{} s {direction}", ahead.as_secs().unsigned_abs())
}
