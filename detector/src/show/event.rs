//! An event for people.

use claviger_proto::v1::{Event, EventId, EventKind, Gap, LossCount, Outcome, SensorStatus};
use claviger_proto::{agent_socket_words, asked_words, endpoint_words, relation_words};

use super::clean;
use super::parts::{Lines, done, place};
use super::style::{FAINT, STRONG, in_style, outcome};
use crate::clock::{from_proto, to_the_second};

/// An event: a line that says what happened, and lines below it that say by whom.
#[must_use]
pub fn event(event: &Event) -> String {
    let time = event
        .time
        .as_ref()
        .and_then(from_proto)
        .map_or_else(|| "no time".into(), to_the_second);
    let mut first = format!("{}  {}", in_style(FAINT, time), in_style(STRONG, kind(event)));
    if event.outcome() != Outcome::Unspecified {
        let word = event.outcome().word();
        let word = if event.errno == 0 {
            word
        } else {
            format!("{word} (errno {})", event.errno)
        };
        first.push_str(&format!("  {}", in_style(outcome(event.outcome()), word)));
    }
    if event.count > 1 {
        first.push_str(&format!("  {} times", event.count));
    }
    if event.pre_existing {
        first.push_str("  before the sensor was started");
    }
    first.push('\n');
    first + &details(event)
}

fn kind(event: &Event) -> String {
    match event.kind() {
        EventKind::Unspecified => format!("event of kind {}", event.kind),
        known => known.word(),
    }
}

fn details(event: &Event) -> String {
    let mut lines = Lines::default();
    if let Some(credential) = &event.credential {
        lines.add(&done(credential), &place(credential));
    }
    lines.add_some(
        "of",
        event.process_secret.as_ref().map(|secret| {
            let (comm, pid) = secret
                .target
                .as_ref()
                .map_or(("?", 0), |target| (target.comm.as_str(), target.pid));
            let to = match secret.written_to.as_str() {
                "" => String::new(),
                to => format!(", written to {}", clean(to)),
            };
            format!("{} of {} (pid {pid}){to}", clean(&secret.part), clean(comm))
        }),
    );
    add_network(&mut lines, event);
    lines.add_some(
        "key",
        event
            .kernel_key
            .as_ref()
            .map(|k| format!("{} {}", clean(&k.r#type), clean(&k.description))),
    );
    lines.add_some(
        "listed",
        event
            .discovery
            .as_ref()
            .map(|discovery| clean(&discovery.path).into_owned()),
    );
    lines.add_some(
        "change",
        event
            .change
            .as_ref()
            .map(|c| match (c.before.as_str(), c.after.as_str()) {
                ("", "") => clean(&c.what).into_owned(),
                ("", after) => format!("{}: {}", clean(&c.what), clean(after)),
                (before, "") => format!("{}: {}", clean(&c.what), clean(before)),
                (before, after) => format!("{}: {} → {}", clean(&c.what), clean(before), clean(after)),
            }),
    );
    lines.add_some(
        "tamper",
        event
            .tamper
            .as_ref()
            .map(|t| format!("{} {}", clean(&t.what), clean(&t.target))),
    );
    lines.add_actor(event.actor.as_deref(), event.workload.as_deref());
    if let Some(credential) = &event.credential {
        lines.add_identities(credential);
    }
    for cause in &event.caused_by {
        let by = match relation_words(cause.relation()) {
            "" => String::new(),
            by => format!(", {by}"),
        };
        lines.add_some("after", cause.event.as_ref().map(|event| id(event) + &by));
    }
    if let Some(status) = &event.sensor_status {
        add_status(&mut lines, status);
    }
    if let Some(gap) = &event.gap {
        let boot_id = event.id.as_ref().map_or("", |id| &id.boot_id);
        add_gap(&mut lines, gap, boot_id);
    }
    lines.add_some(
        "amends",
        event.amendment.as_ref().and_then(|a| a.amends.as_ref()).map(id),
    );
    lines.add_some(
        "seen by",
        event
            .observation
            .as_ref()
            .map(|seen| clean(&seen.hook).into_owned()),
    );
    lines.add_some("event", event.id.as_ref().map(|event| in_style(FAINT, id(event))));
    lines.finish()
}

/// What was asked of whom.
fn add_network(lines: &mut Lines, event: &Event) {
    if let Some(endpoint) = &event.endpoint {
        if let Some((asked, status)) = asked_words(endpoint) {
            let status = status.map(|status| format!(" → {status}")).unwrap_or_default();
            lines.add("asked", &(clean(&asked).into_owned() + &status));
        }
        lines.add("to", &clean(&endpoint_words(endpoint)));
    }
    lines.add_some(
        "TLS",
        event.tls.as_ref().map(|tls| {
            let hidden = if tls.encrypted_client_hello {
                ", encrypted hello"
            } else {
                ""
            };
            clean(&tls.versions.join(", ")).into_owned() + hidden
        }),
    );
    lines.add_some(
        "socket",
        event.agent_socket.as_ref().map(|socket| {
            let another = if socket.of_another_user {
                ", another user's"
            } else {
                ""
            };
            clean(&agent_socket_words(socket)).into_owned() + another
        }),
    );
}

/// An event's id as `watch` takes it: `SENSOR/BOOT/SEQUENCE`.
pub(super) fn id(id: &EventId) -> String {
    format!("{}/{}/{}", clean(&id.sensor_id), clean(&id.boot_id), id.sequence)
}

fn add_status(lines: &mut Lines, status: &SensorStatus) {
    let (reason, version, kernel) = (
        clean(&status.reason),
        clean(&status.version),
        clean(&status.kernel),
    );
    lines.add("sensor", &format!("{reason}, version {version}, Linux {kernel}"));
    for probe in &status.probes {
        let hook = if probe.hook.is_empty() {
            "no hook works".into()
        } else {
            clean(&probe.hook)
        };
        let lost: u64 = probe
            .lost
            .iter()
            .map(|loss| loss.count)
            .fold(0, u64::saturating_add);
        let accounts = format!("seen {}, submitted {}, lost {lost}", probe.seen, probe.submitted);
        lines.add("probe", &format!("{} by {hook}; {accounts}", clean(&probe.probe)));
    }
}

/// `boot_id` is the boot in which it is told.
fn add_gap(lines: &mut Lines, gap: &Gap, boot_id: &str) {
    lines.add("gap", &clean(&gap.reason));
    if gap.first_lost_sequence > 0 {
        let of_boot = match gap.lost_boot_id.as_str() {
            boot if boot.is_empty() || boot == boot_id => String::new(),
            boot => format!(" of boot {}", clean(boot)),
        };
        let (first, last) = (gap.first_lost_sequence, gap.last_lost_sequence);
        lines.add("lost", &format!("events {first} to {last}{of_boot}"));
    }
    for LossCount { stage, reason, count } in &gap.losses {
        lines.add(
            "lost",
            &format!("{count} in {} ({})", clean(stage), clean(reason)),
        );
    }
}
