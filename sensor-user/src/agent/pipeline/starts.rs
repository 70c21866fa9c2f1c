//! Programs started with credentials in their environment or arguments: an event for each sort of credential. And with variables by which they load
//! code: that is told of them with all that they do. Only names are told, never values.

use std::sync::Arc;

use claviger_proto::{
    catalogue::{Catalogue, Start},
    code_variable, code_variables,
    v1::Credential,
};
use claviger_sensor_common::{
    LOADS_CODE, ONLY_WITH_PASSWORD, PLACE_HEADER, PLACE_OPTION, PLACE_SUFFIX, PLACE_VARIABLE,
    SECRET_NAME_MASK, place_word, secret_name_hash,
};

use super::*;
use crate::{attribute::CodeInEnvironment, decode::ProgramSecret, error::in_one_line};

impl<S: Sink> Agent<S> {
    /// Tells the kernel half the names of a catalogue.
    pub(super) fn watch_names(&mut self, catalogue: &Catalogue) {
        if let Err(error) = self.kernel.secret_names.set(&hashes(catalogue)) {
            tracing::error!(
                error = %in_one_line(&error),
                "some names of the catalogue are not looked for in environments and arguments"
            );
        }
    }

    pub(super) fn started_with(&mut self, program: &ProgramSecret) {
        let code = code_of(program);
        let has_code = code.is_some();
        if let Some(code) = code {
            self.facts.processes.started_with_code(program.task.run(), code);
        }
        let catalogue = Arc::clone(&self.options.policy.catalogue);
        // In the order in which they were found, those of one sort together.
        let mut told: Vec<(&Start, Vec<String>)> = Vec::new();
        for found in &program.found {
            let Some((start, place)) = meant(&catalogue, found.hash, found.place, &found.name) else {
                continue;
            };
            match told.iter_mut().find(|(other, _)| other.id() == start.id()) {
                Some((_, places)) if places.contains(&place) => {}
                Some((_, places)) => places.push(place),
                None => told.push((start, vec![place])),
            }
        }
        if told.is_empty() {
            self.accounts.received += 1;
            return self.accounts.drop_record(if has_code {
                Dropped::ToldWithActor
            } else {
                Dropped::NotInCatalogue
            });
        }
        for (start, held_in) in told {
            self.accounts.received += 1;
            let observation = self.observation(Probe::ProgramSecrets);
            let outcome = (Outcome::Succeeded, 0);
            let kind = EventKind::EnvironmentCredential;
            let mut event = self.facts.used(kind, &program.task, outcome, observation);
            at(&mut event, program.time_boot_ns, None);
            event.credential = Some(Credential {
                kind: start.kind().to_owned(),
                catalogue_entry: start.id().to_owned(),
                held_in,
                held_in_left_out: program.left_out,
                ..Credential::default()
            });
            self.push(event, Some(Err("its value is not looked at")));
        }
    }
}

/// What of it has the program load code. Of one that acts as another than who started it the dynamic loader and the shells heed none of that.
fn code_of(program: &ProgramSecret) -> Option<CodeInEnvironment> {
    let task = &program.task;
    if task.uid != task.euid || task.gid != task.egid {
        return None;
    }
    let variables = program.found.iter().filter_map(|found| {
        let name = std::str::from_utf8(&found.name).ok()?;
        code_variable(name).filter(|_| found.place == PLACE_VARIABLE)
    });
    let code = CodeInEnvironment {
        variables: variables.collect(),
        incomplete: program.unread || program.left_out > 0,
    };
    (code != CodeInEnvironment::default()).then_some(code)
}

/// What a name means, and where it stands. The hash only finds it: the name itself decides.
fn meant<'a>(catalogue: &'a Catalogue, hash: u64, place: u32, name: &[u8]) -> Option<(&'a Start, String)> {
    let name = std::str::from_utf8(name).ok()?;
    let lower = name.to_ascii_lowercase();
    let is_meant = |start: &&Start| match place {
        PLACE_VARIABLE => start.names_variable(name),
        PLACE_OPTION => start.options().iter().any(|own| own == name),
        PLACE_HEADER => start.headers().contains(&lower),
        _ => false,
    };
    let by_hash =
        |start: &&Start| hashes_of(start).any(|own| own & SECRET_NAME_MASK == hash & SECRET_NAME_MASK);
    let starts = || catalogue.starts().iter().map(Arc::as_ref);
    let start = starts().filter(by_hash).find(is_meant)?;
    let name = if place == PLACE_HEADER { &lower } else { name };
    Some((start, format!("{} {name}", place_word(place)?)))
}

/// What the kernel half looks for: hashes with their flags. A name that one sort wants with a password only and another always is wanted always.
fn hashes(catalogue: &Catalogue) -> BTreeMap<u64, u32> {
    let mut all = BTreeMap::new();
    for start in catalogue.starts() {
        let flags = if start.needs_password() {
            ONLY_WITH_PASSWORD
        } else {
            0
        };
        for hash in hashes_of(start) {
            all.entry(hash)
                .and_modify(|known| *known &= flags)
                .or_insert(flags);
        }
    }
    for name in code_variables() {
        let hash = secret_name_hash(PLACE_VARIABLE, name.as_bytes());
        // One that an operator has as a credential is one, and known here by its name as well.
        all.entry(hash).or_insert(LOADS_CODE);
    }
    all
}

fn hashes_of(start: &Start) -> impl Iterator<Item = u64> {
    let variables = start
        .variables()
        .iter()
        .map(|name| match name.strip_prefix("*_") {
            Some(words) => secret_name_hash(PLACE_SUFFIX, words.as_bytes()),
            None => secret_name_hash(PLACE_VARIABLE, name.as_bytes()),
        });
    let of = |place, names: &[String]| {
        let hash = move |name: &String| secret_name_hash(place, name.as_bytes());
        names.iter().map(hash).collect::<Vec<_>>()
    };
    let options = of(PLACE_OPTION, start.options());
    let headers = of(PLACE_HEADER, start.headers());
    variables.chain(options).chain(headers)
}

#[cfg(test)]
mod tests {
    use claviger_sensor_common::TaskSnapshot;
    use zerocopy::FromZeros as _;

    use super::*;
    use crate::decode::{SecretName, Task};

    #[test]
    fn a_name_is_found_by_its_hash_and_confirmed() {
        let catalogue = Catalogue::shipped();
        let found = |place, hashed: (u32, &str), name: &str| {
            let hash = secret_name_hash(hashed.0, hashed.1.as_bytes());
            meant(catalogue, hash, place, name.as_bytes())
                .map(|(start, place)| (start.kind().to_owned(), place))
        };
        let kind = |kind: &str, place: &str| Some((kind.to_owned(), place.to_owned()));
        let own = (PLACE_VARIABLE, "AWS_SECRET_ACCESS_KEY");
        assert_eq!(
            found(PLACE_VARIABLE, own, "AWS_SECRET_ACCESS_KEY"),
            kind("aws_access_key", "environment AWS_SECRET_ACCESS_KEY")
        );
        assert_eq!(
            found(PLACE_VARIABLE, (PLACE_SUFFIX, "TOKEN"), "SOMEBODYS_TOKEN"),
            kind("access_token", "environment SOMEBODYS_TOKEN")
        );
        assert_eq!(
            found(PLACE_OPTION, (PLACE_OPTION, "--token"), "--token"),
            kind("access_token", "option --token")
        );
        assert_eq!(
            found(PLACE_HEADER, (PLACE_HEADER, "authorization"), "Authorization"),
            kind("access_token", "header authorization")
        );
        assert_eq!(
            found(PLACE_VARIABLE, own, "wJalrXUtnFEMI"),
            None,
            "never what is no known name"
        );
        assert_eq!(found(PLACE_OPTION, own, "AWS_SECRET_ACCESS_KEY"), None);
    }

    fn started(found: &[(u32, &str)], left_out: u32) -> ProgramSecret {
        let found = found.iter().map(|(place, name)| SecretName {
            hash: 0,
            place: *place,
            name: name.as_bytes().to_vec(),
        });
        ProgramSecret {
            time_boot_ns: 0,
            task: Task::from(&TaskSnapshot::new_zeroed()),
            found: found.collect(),
            left_out,
            unread: false,
        }
    }

    #[test]
    fn variables_that_load_code_are_told_apart_from_credentials() {
        let both = [
            (PLACE_VARIABLE, "LD_PRELOAD"),
            (PLACE_VARIABLE, "GITHUB_TOKEN"),
            (PLACE_OPTION, "BASH_ENV"),
        ];
        let code = code_of(&started(&both, 0)).expect("some");
        assert_eq!((code.variables, code.incomplete), (vec!["LD_PRELOAD"], false));
        let none = [(PLACE_VARIABLE, "GITHUB_TOKEN")];
        assert_eq!(code_of(&started(&none, 0)), None);
        assert!(code_of(&started(&none, 1)).expect("not known").incomplete);
        let mut unread = started(&[], 0);
        unread.unread = true;
        assert!(code_of(&unread).expect("not known").incomplete);
        let mut as_another = started(&both, 0);
        as_another.task.euid = Some(1_000);
        assert_eq!(code_of(&as_another), None, "the loader heeds it not");
    }

    #[test]
    fn every_name_of_the_catalogue_has_a_hash_of_its_own() {
        let names =
            |start: &Arc<Start>| start.variables().len() + start.options().len() + start.headers().len();
        let catalogue = Catalogue::shipped();
        let all: usize = catalogue.starts().iter().map(names).sum();
        let hashes = hashes(catalogue);
        assert_eq!(hashes.len(), all + code_variables().count());
        let url = secret_name_hash(PLACE_VARIABLE, b"DATABASE_URL");
        assert_eq!(hashes.get(&url), Some(&ONLY_WITH_PASSWORD));
    }
}
