//! `scan`: which credentials lie on this host now.

use std::{
    cell::Cell,
    io::{IsTerminal as _, Write as _},
    ops::ControlFlow,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{
    exit,
    output::{clean, counted, say},
    program::ConfigFile,
};
use crate::{
    agent::{Exposure, Lying, Part, inventory},
    config::Config,
    credential::Why,
    decode::display,
};

const STRONG: anstyle::Style = anstyle::Style::new().bold();
const BAD: anstyle::Style = anstyle::AnsiColor::Red.on_default();

/// How often a terminal is told where the look is.
const PROGRESS: Duration = Duration::from_millis(200);

/// Columns of a terminal that progress takes, at most.
const PROGRESS_COLUMNS: usize = 76;

/// List the credentials that lie on this host now, by the catalogue: in homes and at the host's own places, in containers, and what a search of the
/// whole host finds.
///
/// Each is told with its kind, path, owner and mode, the identities it stands for, and whether others than its owner can read it. No secret is
/// shown. It needs no probes and no running sensor, and sees what its user may read: as root everything. Opening what it lists is a use that a running
/// sensor reports.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "With --json: {\"credential\":{…},\"owner\",\"group\",\"mode\",\"readable_by\",\"part\"} for each, with the field names of the events, and \
                  {\"left_out\":{…},\"left_out_at\":[…],\"part\"} for each part of which something could not be looked at.\n\n\
                  Exit status: 0 all was looked at and nothing is readable by everybody; 1 something is; 3 nothing that was seen is, but not all \
                  could be looked at; 78 wrong configuration."
)]
pub(super) struct Scan {
    #[command(flatten)]
    config: ConfigFile,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Only what others than its owner can read
    #[arg(long)]
    exposed: bool,
}

impl Scan {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let (config, policy) = Config::load_with_policy(self.config.config.as_deref())?;
        let progress = Progress::new();
        let (mut total, mut open, mut complete) = (0_u64, 0_u64, true);
        let mut failed = None;
        inventory(
            &policy.catalogue,
            &config.catalogue.extra_homes,
            &|path| progress.at(path),
            |part| {
                progress.clear();
                total += part.lying.len() as u64;
                let exposed = part.lying.iter().filter(|one| one.exposure == Exposure::Others);
                open += exposed.count() as u64;
                complete &= part.left_out.total() == 0;
                failed = self.show(&part).err();
                match failed {
                    Some(_) => ControlFlow::Break(()),
                    None => ControlFlow::Continue(()),
                }
            },
        )
        .context("looking through the host; is /proc mounted?")?;
        if let Some(error) = failed {
            return Err(error);
        }
        if !rustix::process::geteuid().is_root() {
            complete = false;
            anstream::eprintln!("not root: what others keep from this user, and containers, are not listed");
        }
        if !self.json {
            let credentials = counted(total, "credential", "credentials");
            anstream::eprintln!("{credentials}, {open} of them readable by everybody");
        }
        Ok(match (open, complete) {
            (0, true) => ExitCode::SUCCESS,
            (0, false) => ExitCode::from(exit::PARTLY),
            _ => ExitCode::from(exit::FAILED),
        })
    }

    fn show(&self, part: &Part) -> anyhow::Result<()> {
        let shown = |one: &&Lying| !self.exposed || one.exposure != Exposure::Owner;
        for one in part.lying.iter().filter(shown) {
            if self.json {
                say!("{}", as_json(one, part.name));
            } else {
                say!("{}", text(one));
            }
        }
        let left_out = &part.left_out;
        if left_out.total() == 0 {
            return Ok(());
        }
        let counted = Why::ALL.into_iter().filter(|why| left_out.count(*why) > 0);
        if self.json {
            let counts: serde_json::Map<String, Value> = counted
                .map(|why| (why.word().to_owned(), json!(left_out.count(why))))
                .collect();
            let named: Vec<Value> = left_out
                .named()
                .iter()
                .map(|(why, path)| json!({ "why": why.word(), "path": display(path.as_os_str().as_encoded_bytes()) }))
                .collect();
            say!(
                "{}",
                json!({ "left_out": counts, "left_out_at": named, "part": part.name })
            );
        } else {
            for why in counted {
                anstream::eprintln!("{}: {} left out: {}", part.name, left_out.count(why), why.text());
                for (_, path) in left_out.named().iter().filter(|(of, _)| *of == why) {
                    anstream::eprintln!("  {}", clean(&display(path.as_os_str().as_encoded_bytes())));
                }
            }
        }
        Ok(())
    }
}

fn as_json(one: &Lying, part: &str) -> Value {
    json!({
        "credential": one.credential,
        "owner": one.owner,
        "group": one.group,
        "mode": format!("{:04o}", one.mode),
        "readable_by": one.exposure.word(),
        "part": part,
    })
}

fn text(one: &Lying) -> String {
    let credential = &one.credential;
    let mut text = format!(
        "{STRONG}{}{STRONG:#} ({})\n  owner     uid {}, gid {}, mode {:04o}",
        clean(&credential.path),
        credential.kind,
        one.owner,
        one.group,
        one.mode
    );
    match one.exposure {
        Exposure::Owner => {}
        Exposure::Group => text.push_str(", readable by its group"),
        Exposure::Others => text.push_str(&format!(", {BAD}readable by everybody{BAD:#}")),
    }
    for identity in &credential.identities {
        text.push_str(&format!(
            "\n  identity  {} {STRONG}{}{STRONG:#}",
            clean(&identity.kind),
            clean(&identity.id)
        ));
    }
    if credential.identities.is_empty() {
        text.push_str(&format!("\n  identity  not known: {}", credential.unknown_reason));
    }
    text
}

/// Where the look is, on a terminal.
struct Progress {
    is_terminal: bool,
    told: Cell<Option<Instant>>,
}

impl Progress {
    fn new() -> Self {
        Self {
            is_terminal: std::io::stderr().is_terminal(),
            told: Cell::new(None),
        }
    }

    fn at(&self, path: &Path) {
        let is_due = self.told.get().is_none_or(|told| told.elapsed() >= PROGRESS);
        if !self.is_terminal || !is_due {
            return;
        }
        self.told.set(Some(Instant::now()));
        let path: String = clean(&path.display().to_string())
            .chars()
            .take(PROGRESS_COLUMNS)
            .collect();
        self.write(&format!("\r\u{1b}[K{path}"));
    }

    fn clear(&self) {
        if self.told.take().is_some() {
            self.write("\r\u{1b}[K");
        }
    }

    fn write(&self, text: &str) {
        let mut stderr = std::io::stderr().lock();
        // A terminal that is gone needs no progress.
        let _gone = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }
}

#[cfg(test)]
mod tests {
    use claviger_proto::v1::{Credential, Identity};

    use super::*;

    fn lying() -> Lying {
        Lying {
            credential: Credential {
                kind: "aws_access_key".into(),
                path: "/home/demo/.aws/\u{1b}[2Jcredentials".into(),
                inode: 7,
                identities: vec![Identity {
                    kind: "aws_access_key_id".into(),
                    id: "AKIAIOSFODNN7EXAMPLE".into(),
                    ..Identity::default()
                }],
                ..Credential::default()
            },
            owner: 1000,
            group: 1000,
            mode: 0o644,
            exposure: Exposure::Others,
        }
    }

    #[test]
    fn a_credential_reads_well_and_steers_no_terminal() {
        let plain = anstream::adapter::strip_str(&text(&lying())).to_string();
        assert_eq!(
            plain,
            "/home/demo/.aws/\\u{1b}[2Jcredentials (aws_access_key)\n  owner     uid 1000, gid 1000, mode 0644, readable by \
             everybody\n  identity  aws_access_key_id AKIAIOSFODNN7EXAMPLE"
        );
    }

    #[test]
    fn the_json_has_the_names_of_the_events() {
        let json = as_json(&lying(), "places");
        assert_eq!(json["credential"]["kind"], "aws_access_key");
        assert_eq!(json["credential"]["identities"][0]["id"], "AKIAIOSFODNN7EXAMPLE");
        assert_eq!(
            (&json["mode"], &json["readable_by"]),
            (&json!("0644"), &json!("others"))
        );
    }
}
