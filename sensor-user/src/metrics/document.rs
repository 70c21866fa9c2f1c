//! The document of the metrics, written from their definitions.

use std::fmt::Write as _;

use super::{Definition, OTHER};

const HEAD: &str = "\
# Metrics of the sensor

Written from the definitions in the code; `CLAVIGER_UPDATE=1 cargo test -p claviger-sensor measured` writes it anew, a test compares it.

With `metrics.listen` set, `GET /metrics` at that address gives them as OpenMetrics text. Without it nothing listens.

- The numbers are those of the sensor's own accounts, as `claviger-sensor status --json` and the `sensor_status` events show them, published once a
  second as a whole. Counters begin with 0 when the sensor starts; `claviger_sensor_start_time_seconds` says when that was.
- Every counter has all its series from the beginning, at 0.
- A label has the values listed here and no others; what is none of them is counted together as `other`. No label holds a path, a name of a host,
  process or user, or anything else from outside.
- Bounds are metrics too: `entries / entries_bound`, `map_entries / map_entries_bound`, `spool_bytes / spool_bound_bytes` and `ring_bytes /
  ring_bound_bytes` say how full things are.
";

/// Writes it.
#[must_use]
pub fn document(groups: &[(&str, &[&Definition])]) -> String {
    let mut text = HEAD.to_owned();
    for (title, definitions) in groups {
        let _never = write!(text, "\n## {title}\n");
        for definition in *definitions {
            let _never = write!(
                text,
                "\n### `{}`\n\n{}, {}. {}\n",
                definition.sample_name(),
                definition.kind.word(),
                definition.unit.map_or("a number", |unit| unit.word()),
                definition.help
            );
            for label in definition.labels {
                let values: Vec<String> = (label.values)()
                    .iter()
                    .map(|value| format!("`{value}`"))
                    .collect();
                let _never = write!(text, "\n- label `{}`: {}", label.name, values.join(", "));
            }
            if !definition.labels.is_empty() {
                text.push('\n');
            }
            let _never = write!(text, "\n*What to do:* {}\n", definition.advice);
        }
    }
    debug_assert!(
        !text.contains(&format!("`{OTHER}`,")),
        "{OTHER} is for what is not listed"
    );
    text
}
