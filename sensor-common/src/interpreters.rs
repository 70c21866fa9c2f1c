//! Executables that carry something else out, known by the letters that their names begin with: `python3.11` is a `python`. Both halves look at
//! names alike. A copy under another name is not known as one; it is then an executable of its own, at a place of its own.

/// Letters of a name that are looked at; those behind do not matter.
pub const NAME_LETTERS: usize = 8;

/// The letters that a name begins with, in lower case, packed into a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameWord(pub u64);

impl NameWord {
    /// Of a whole name.
    #[must_use]
    pub const fn of(name: &[u8]) -> Self {
        let mut word = Self(0);
        let mut at = 0;
        while at < name.len() && at < NAME_LETTERS {
            match word.with(name[at]) {
                Some(longer) => word = longer,
                None => return word,
            }
            at += 1;
        }
        word
    }

    /// With one more letter; nothing for what is none.
    #[must_use]
    #[inline(always)]
    pub const fn with(self, byte: u8) -> Option<Self> {
        if byte.is_ascii_alphabetic() {
            Some(Self((self.0 << 8) | (byte | 0x20) as u64))
        } else {
            None
        }
    }
}

/// What an executable carries out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Nothing but itself.
    None,
    /// A script, or code; its arguments say which.
    Interpreter,
    /// One of many programs in it, by the name that it is called by.
    Applets,
}

macro_rules! interpreters {
    ($($name:literal)*) => {
        /// Names of interpreters, as many letters of them as are looked at. The agent knows the options of each.
        pub const INTERPRETERS: &[&str] = &[$($name),*];

        const fn is_interpreter(word: NameWord) -> bool {
            $(word.0 == const { NameWord::of($name.as_bytes()).0 })||*
        }
    };
}

interpreters! {
    "sh" "bash" "rbash" "dash" "ash" "zsh" "ksh" "mksh" "csh" "tcsh" "fish"
    "python" "pypy" "perl" "ruby" "php" "lua" "luajit" "tclsh" "rscript" "r"
    "awk" "gawk" "mawk" "nawk" "original"
    "node" "nodejs" "deno" "bun" "java"
}

/// What the executable of this name is. The dynamic loader is known by more than letters, see [`is_loader`].
#[must_use]
#[inline(always)]
pub const fn family_of(word: NameWord) -> Family {
    const BUSYBOX: u64 = NameWord::of(b"busybox").0;
    const TOYBOX: u64 = NameWord::of(b"toybox").0;
    const COREUTILS: u64 = NameWord::of(b"coreutils").0;
    match word.0 {
        BUSYBOX | TOYBOX | COREUTILS => Family::Applets,
        _ if is_interpreter(word) => Family::Interpreter,
        _ => Family::None,
    }
}

/// Whether a file of this name is the dynamic loader: `ld-linux-x86-64.so.2`, `ld-2.31.so`, `ld.so`, musl's `ld-musl-x86_64.so.1` and `libc.so`. The linker
/// (`ld`, `ld.bfd`) is not.
#[must_use]
#[inline(always)]
pub const fn is_loader(name: &[u8; 16]) -> bool {
    matches!(
        name,
        [b'l', b'd', b'-', ..]
            | [b'l', b'd', b'.', b's', b'o', ..]
            | [b'l', b'i', b'b', b'c', b'.', b's', b'o', 0, ..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_whatever_their_version() {
        let family = |name: &str| family_of(NameWord::of(name.as_bytes()));
        for name in [
            "python3",
            "python3.11",
            "python2.7",
            "PYTHON",
            "pypy3",
            "original-awk",
            "java",
        ] {
            assert_eq!(family(name), Family::Interpreter, "{name}");
        }
        for name in INTERPRETERS {
            assert_eq!(family(name), Family::Interpreter, "{name}");
        }
        assert_eq!(family("busybox-static"), Family::Applets);
        assert_eq!(family("coreutils"), Family::Applets);
        for name in ["", "3python", "pythonista", "cat", "env", "shred", "javac", "rm"] {
            assert_eq!(family(name), Family::None, "{name}");
        }
    }

    #[test]
    fn the_loader_is_not_the_linker() {
        let padded = |name: &str| {
            let mut bytes = [0; 16];
            for (to, from) in bytes.iter_mut().zip(name.bytes()) {
                *to = from;
            }
            bytes
        };
        for name in [
            "ld-linux-x86-64.so.2",
            "ld.so",
            "ld.so.1",
            "ld-musl-x86_64.so.1",
            "libc.so",
        ] {
            assert!(is_loader(&padded(name)), "{name}");
        }
        for name in ["ld", "ld.bfd", "ld.gold", "libc.so.6", "ldd", ""] {
            assert!(!is_loader(&padded(name)), "{name}");
        }
    }
}
