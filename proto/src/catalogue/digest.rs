//! One number for a whole catalogue, so that hosts can be compared.
//!
//! SHA-256 over every field of every kind (by name) and entry (in order), each preceded by its length, and a count before each list. Comments,
//! layout and the file that something stands in make no difference; the order of entries does, for it decides which one names a path.

use sha2::{Digest as _, Sha256};

use super::{Call, Catalogue, Operation, Pattern};

/// A change of what goes into the digest changes this.
const FORM: &str = "claviger catalogue 4";

impl Catalogue {
    /// The digest, in lower-case hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut text = |text: &str| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        };
        let list = |text: &mut dyn FnMut(&str), items: Vec<String>| {
            text(&items.len().to_string());
            items.iter().for_each(|item| text(item));
        };
        text(FORM);
        text(&self.kinds.len().to_string());
        for kind in self.kinds() {
            text(kind.name());
            text(kind.title());
            list(&mut text, kind.usual_readers.clone());
        }
        text(&self.entries.len().to_string());
        for entry in &self.entries {
            text(entry.id());
            text(entry.kind());
            let operation = |operation: &Operation| match operation {
                Operation::Read => "read".to_owned(),
                Operation::Write => "write".to_owned(),
            };
            list(&mut text, entry.patterns.iter().map(Pattern::to_string).collect());
            list(
                &mut text,
                entry.exceptions.iter().map(Pattern::to_string).collect(),
            );
            list(&mut text, entry.operations.iter().map(operation).collect());
            list(
                &mut text,
                entry.content.iter().map(|one| one.word().to_owned()).collect(),
            );
            text(if entry.opt_in { "opt_in" } else { "" });
        }
        text(&self.starts.len().to_string());
        for start in &self.starts {
            text(start.id());
            text(start.kind());
            list(&mut text, start.variables().to_vec());
            list(&mut text, start.options().to_vec());
            list(&mut text, start.headers().to_vec());
            text(if start.needs_password() {
                "only_with_password"
            } else {
                ""
            });
        }
        text(&self.endpoints.len().to_string());
        for endpoint in &self.endpoints {
            text(endpoint.id());
            text(endpoint.provider());
            let addresses = endpoint.addresses().iter().map(ToString::to_string);
            list(&mut text, addresses.collect());
            list(&mut text, endpoint.names().to_vec());
            list(&mut text, endpoint.calls().iter().map(Call::to_string).collect());
        }
        text(&self.providers.len().to_string());
        for provider in &self.providers {
            text(provider.id());
            text(provider.provider());
            list(&mut text, provider.names().to_vec());
            let addresses = provider.addresses().iter().map(ToString::to_string);
            list(&mut text, addresses.collect());
        }
        text(&self.sockets.len().to_string());
        for socket in &self.sockets {
            let shown = |patterns: &[Pattern]| patterns.iter().map(Pattern::to_string).collect();
            text(socket.id());
            text(socket.kind());
            list(&mut text, shown(socket.patterns()));
            list(&mut text, shown(socket.abstract_names()));
        }
        hex::encode(hash.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "version = 1\n[[kind]]\nname = \"k\"\ntitle = \"K\"\n[[entry]]\nid = \"e\"\nkind = \"k\"\nglobs = [\"/{a,b}\"]\n";

    fn digest(text: &str) -> String {
        Catalogue::parse(text, "own.toml").expect("valid").digest()
    }

    #[test]
    fn what_means_the_same_has_the_same_digest() {
        let digest_of_it = digest(TEXT);
        assert_eq!(digest_of_it.len(), 64);
        assert_eq!(digest_of_it, digest(&format!("# a note\n{TEXT}")));
        assert_eq!(
            digest_of_it,
            digest(&TEXT.replace("\"/{a,b}\"", "\"/a\", \"/b\""))
        );
    }

    #[test]
    fn every_field_makes_a_difference() {
        let plain = digest(TEXT);
        for more in [
            "operations = [\"write\"]\n",
            "except = [\"/b\"]\n",
            "content = [\"jwt\"]\n",
            "opt_in = true\n",
            "[[start]]\nid = \"s\"\nkind = \"k\"\nvariables = [\"V\"]\n",
            "[[kind]]\nname = \"k2\"\ntitle = \"\"\n",
            "[[endpoint]]\nid = \"n\"\nprovider = \"p\"\naddresses = [\"10.0.0.1:80\"]\ncalls = [{ path = \"/a\" }]\n",
            "[[provider]]\nid = \"n\"\nprovider = \"p\"\nnames = [\"a.b\"]\n",
            "[[provider]]\nid = \"n\"\nprovider = \"p\"\naddresses = [\"10.0.0.1:6443\"]\n",
        ] {
            assert_ne!(plain, digest(&format!("{TEXT}{more}")), "{more}");
        }
        assert_ne!(
            plain,
            digest(&TEXT.replace("/{a,b}", "/{b,a}")),
            "the order counts"
        );
        assert_ne!(plain, digest(&TEXT.replace("title = \"K\"", "title = \"L\"")));
        let reader = "title = \"K\"\nusual_readers = [\"/x\"]";
        assert_ne!(plain, digest(&TEXT.replace("title = \"K\"", reader)));
    }
}
