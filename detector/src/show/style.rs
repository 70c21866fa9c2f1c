//! How things look on a terminal.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};
use claviger_proto::v1::{Outcome, Severity};

pub(super) const STRONG: Style = Style::new().bold();
pub(super) const FAINT: Style = Style::new().dimmed();

pub(super) fn severity(severity: Severity) -> Style {
    match severity {
        Severity::High => AnsiColor::Red.on_default().bold(),
        Severity::Medium => AnsiColor::Yellow.on_default().bold(),
        Severity::Low => AnsiColor::Cyan.on_default().bold(),
        Severity::Informational | Severity::Unspecified => STRONG,
    }
}

pub(super) fn outcome(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Denied => AnsiColor::Red.on_default(),
        Outcome::Succeeded => AnsiColor::Green.on_default(),
        Outcome::Unknown | Outcome::Unspecified => Style::new(),
    }
}

/// Text in a style.
pub(super) fn in_style(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}
