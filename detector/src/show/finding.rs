//! A finding for people.

use claviger_proto::v1::{Finding, Severity};

use super::clean;
use super::event::id;
use super::parts::{Lines, done, place};
use super::style::{FAINT, STRONG, in_style, severity};
use crate::clock::{from_proto, to_the_second};

/// A finding: a line with severity and title, the sentence that explains it, and lines with its parts.
#[must_use]
pub fn finding(finding: &Finding) -> String {
    let word = match finding.severity() {
        Severity::Unspecified => "FINDING".to_owned(),
        known => known.word().to_uppercase(),
    };
    let word = in_style(severity(finding.severity()), word);
    let mut text = format!("{word}  {}", in_style(STRONG, clean(&finding.title)));
    text.push_str(&in_style(FAINT, format!("  {}", clean(&finding.detection))));
    text.push_str(&format!("\n    {}\n", clean(&finding.summary)));
    let mut lines = Lines::default();
    if let Some(credential) = &finding.credential {
        lines.add(&done(credential), &place(credential));
    }
    lines.add_actor(finding.actor.as_deref(), finding.workload.as_deref());
    if let Some(credential) = &finding.credential {
        lines.add_identities(credential);
    }
    if !finding.attack_techniques.is_empty() {
        let techniques = finding.attack_techniques.join(", ");
        lines.add(
            "ATT&CK",
            &format!(
                "{} (version {})",
                clean(&techniques),
                clean(&finding.attack_version)
            ),
        );
    }
    let time = finding
        .time
        .as_ref()
        .and_then(from_proto)
        .map_or_else(String::new, to_the_second);
    lines.add(
        "stored",
        &format!("{time}, seen → stored {}", duration(finding.elapsed_us)),
    );
    for event in &finding.evidence {
        lines.add("evidence", &in_style(FAINT, id(event)));
    }
    text + &lines.finish()
}

/// Microseconds as a person reads them.
fn duration(us: u64) -> String {
    match us {
        0..=999 => format!("{us} µs"),
        1_000..=9_999_999 => format!("{} ms", us / 1_000),
        _ => format!("{} s", us / 1_000_000),
    }
}

#[cfg(test)]
#[path = "show_tests.rs"]
mod tests;
