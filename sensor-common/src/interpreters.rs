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

/// What an executable carries out, and how its arguments say what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Nothing but itself.
    None,
    /// A script: behind options of these letters, which take no value, the first argument names it.
    Interpreter(u64),
    /// One of many programs in it, by the name that it is called by.
    Applets,
}

/// What the executable of this name is. The dynamic loader is known by more than letters, see [`is_loader`].
#[must_use]
#[inline(always)]
pub const fn family_of(word: NameWord) -> Family {
    const fn name(name: &str) -> u64 {
        NameWord::of(name.as_bytes()).0
    }
    const SH: u64 = name("sh");
    const BASH: u64 = name("bash");
    const DASH: u64 = name("dash");
    const ASH: u64 = name("ash");
    const ZSH: u64 = name("zsh");
    const KSH: u64 = name("ksh");
    const MKSH: u64 = name("mksh");
    const CSH: u64 = name("csh");
    const TCSH: u64 = name("tcsh");
    const FISH: u64 = name("fish");
    const PYTHON: u64 = name("python");
    const PYPY: u64 = name("pypy");
    const PERL: u64 = name("perl");
    const RUBY: u64 = name("ruby");
    const PHP: u64 = name("php");
    const NODE: u64 = name("node");
    const NODEJS: u64 = name("nodejs");
    const LUA: u64 = name("lua");
    const LUAJIT: u64 = name("luajit");
    const TCLSH: u64 = name("tclsh");
    const RSCRIPT: u64 = name("rscript");
    const BUSYBOX: u64 = name("busybox");
    const TOYBOX: u64 = name("toybox");
    const COREUTILS: u64 = name("coreutils");
    match word.0 {
        SH | BASH | DASH | ASH | ZSH | KSH | MKSH | CSH | TCSH => {
            Family::Interpreter(letters("abefhiklmnpruvxBCEHP"))
        }
        FISH => Family::Interpreter(letters("ilNP")),
        PYTHON | PYPY => Family::Interpreter(letters("bBdEiIOPqRsSuvx")),
        PERL => Family::Interpreter(letters("acfnpstTUwWX")),
        RUBY => Family::Interpreter(letters("acdlnpsvw")),
        PHP => Family::Interpreter(letters("nqC")),
        LUA | LUAJIT => Family::Interpreter(letters("iE")),
        // Their options are words, of which some take a value.
        NODE | NODEJS | TCLSH | RSCRIPT => Family::Interpreter(0),
        BUSYBOX | TOYBOX | COREUTILS => Family::Applets,
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

const fn letters(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut set = 0;
    let mut at = 0;
    while at < bytes.len() {
        set |= letter(bytes[at]);
        at += 1;
    }
    set
}

/// The bit of a letter in a set of letters; 0 for what is none.
#[must_use]
#[inline(always)]
pub const fn letter(byte: u8) -> u64 {
    match byte {
        b'a'..=b'z' => 1 << (byte - b'a'),
        b'A'..=b'Z' => 1 << (byte - b'A' + 26),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_whatever_their_version() {
        let family = |name: &str| family_of(NameWord::of(name.as_bytes()));
        let python = family("python");
        for name in ["python3", "python3.11", "python2.7", "PYTHON", "pypy3"] {
            assert_eq!(family(name), python, "{name}");
        }
        assert_eq!(family("busybox-static"), Family::Applets);
        assert_eq!(family("coreutils"), Family::Applets);
        for name in ["", "3python", "pythonista", "cat", "env", "shred"] {
            assert_eq!(family(name), Family::None, "{name}");
        }
    }

    #[test]
    fn an_option_that_takes_a_value_or_code_is_in_no_set() {
        for (name, with_value) in [
            ("sh", "coOs"),
            ("python3", "cmWX"),
            ("perl", "eEIMmxS"),
            ("fish", "cfpo"),
        ] {
            let Family::Interpreter(flags) = family_of(NameWord::of(name.as_bytes())) else {
                panic!("{name} is an interpreter")
            };
            for byte in with_value.bytes() {
                assert_eq!(flags & letter(byte), 0, "-{} of {name}", char::from(byte));
            }
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
