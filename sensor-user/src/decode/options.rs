//! Options of interpreters, as a table: what each takes, and whether it has the interpreter run something. An option that stands in no row is one of
//! which nothing is known.

use claviger_sensor_common::NameWord;

/// What an option takes, and what it does with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing, and what runs stays the same.
    Nothing,
    /// A value, attached or the next argument; what runs stays the same.
    Value,
    /// The next argument, while the letters behind it go on; what runs stays the same.
    Next,
    /// What is attached to it, which may be nothing; what runs stays the same.
    Rest,
    /// The digits that are attached to it.
    Digits,
    /// As [`Self::Nothing`], but it may have other code run as well.
    Loads,
    /// As [`Self::Value`], but it may have other code run as well.
    LoadsValue,
    /// As [`Self::Rest`], but it may have other code run as well.
    LoadsRest,
    /// Code, which is what runs.
    Code,
    /// The name of a module or class, which is what runs.
    Name,
    /// The path of the script, attached or the next argument; options may follow.
    File,
    /// The same, and it ends the options.
    LastFile,
    /// What runs is read from standard input.
    Input,
    /// Nothing runs that could be named.
    Other,
}

/// What the first argument that is no option is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// The path of the script.
    Script,
    /// Code, where no option has named a file.
    Code,
    /// A class, or the path of a source file of this ending.
    ClassOr(&'static str),
    /// Nothing that runs.
    Nothing,
}

/// How the arguments of an interpreter are read.
#[derive(Debug)]
pub(super) struct Options {
    /// Names of the interpreters, as the kernel half knows them.
    names: &'static [&'static str],
    /// Letters behind one dash.
    pub(super) letters: &'static [(&'static str, Takes)],
    /// Options that are a word, with their dashes; several stand in one text.
    pub(super) words: &'static [(&'static str, Takes)],
    /// What an unknown word is, where that is known of all.
    pub(super) other_words: Option<Takes>,
    /// Whether letters behind a plus are options too.
    pub(super) plus: bool,
    /// First arguments that say what is to be done with the next.
    pub(super) commands: &'static [(&'static str, Takes)],
    /// What the first argument that is no option is.
    pub(super) first: First,
}

impl Options {
    /// Those of an interpreter.
    pub(super) fn of(interpreter: NameWord) -> Option<&'static Self> {
        let is_it = |name: &&str| NameWord::of(name.as_bytes()) == interpreter;
        TABLE
            .iter()
            .find(|options| options.names.iter().any(|name| is_it(name)))
    }

    pub(super) fn letter(&self, letter: u8) -> Option<Takes> {
        let row = self
            .letters
            .iter()
            .find(|(row, _)| row.as_bytes().contains(&letter));
        Some(row?.1)
    }

    pub(super) fn word(&self, word: &[u8]) -> Option<Takes> {
        named(self.words, word)
    }

    pub(super) fn command(&self, word: &[u8]) -> Option<Takes> {
        named(self.commands, word)
    }
}

fn named(rows: &[(&str, Takes)], word: &[u8]) -> Option<Takes> {
    let row = rows
        .iter()
        .find(|(row, _)| row.split(' ').any(|name| name.as_bytes() == word));
    Some(row?.1)
}

const SCRIPT: Options = Options {
    names: &[],
    letters: &[],
    words: &[],
    other_words: None,
    plus: false,
    commands: &[],
    first: First::Script,
};

use Takes::{
    Code, Digits, File, Input, LastFile, Loads, LoadsRest, LoadsValue, Name, Next, Nothing, Other, Rest,
    Value,
};

const TABLE: &[Options] = &[
    Options {
        names: &[
            "sh", "bash", "rbash", "dash", "ash", "zsh", "ksh", "mksh", "csh", "tcsh",
        ],
        letters: &[
            ("abefhkmnpruvxBCEHPVX", Nothing),
            // They read files of their own before the script.
            ("il", Loads),
            ("oO", Next),
            ("c", Code),
            ("s", Input),
        ],
        words: &[
            (
                "--norc --noprofile --posix --restricted --verbose --debugger --noediting",
                Nothing,
            ),
            ("--login", Loads),
            ("--rcfile --init-file", LoadsValue),
        ],
        plus: true,
        ..SCRIPT
    },
    Options {
        names: &["fish"],
        letters: &[
            ("NPn", Nothing),
            ("il", Loads),
            ("doDfp", Value),
            ("C", LoadsValue),
            ("c", Code),
        ],
        words: &[
            ("--no-config --private --no-execute", Nothing),
            ("--interactive --login", Loads),
            (
                "--debug --debug-output --features --profile --profile-startup",
                Value,
            ),
            ("--init-command", LoadsValue),
            ("--command", Code),
        ],
        ..SCRIPT
    },
    Options {
        names: &["python", "pypy"],
        letters: &[
            ("bBdEIOPqRsSuvx", Nothing),
            // A prompt follows the script, whose code may come from elsewhere.
            ("i", Loads),
            // They can name modules, and where compiled ones lie.
            ("WX", LoadsValue),
            ("c", Code),
            ("m", Name),
        ],
        words: &[("--check-hash-based-pycs", Value), ("--jit", Value)],
        ..SCRIPT
    },
    Options {
        names: &["perl"],
        letters: &[
            ("acfnpstTuUwWXS", Nothing),
            ("l0", Digits),
            ("iCDF", Rest),
            ("dxmMV", LoadsRest),
            ("I", LoadsValue),
            ("eE", Code),
        ],
        ..SCRIPT
    },
    Options {
        names: &["ruby"],
        letters: &[
            ("acdlnpsvwS", Nothing),
            ("0", Digits),
            ("iFKTW", Rest),
            ("E", Value),
            ("x", LoadsRest),
            ("CIr", LoadsValue),
            ("e", Code),
        ],
        words: &[
            ("--verbose --debug --jit --yjit", Nothing),
            (
                "--encoding --external-encoding --internal-encoding --enable --disable",
                Value,
            ),
        ],
        ..SCRIPT
    },
    Options {
        names: &["php"],
        letters: &[
            ("nqCeHlsw", Nothing),
            ("cdz", LoadsValue),
            ("f", File),
            ("F", File),
            ("rBRE", Code),
            ("aimvhSt", Other),
        ],
        words: &[
            ("--no-php-ini --no-header --syntax-check --strip", Nothing),
            ("--php-ini --define --zend-extension", LoadsValue),
            ("--file --process-file", File),
            ("--run --process-begin --process-code --process-end", Code),
        ],
        ..SCRIPT
    },
    Options {
        names: &["lua", "luajit"],
        letters: &[("EvW", Nothing), ("i", Loads), ("elj", LoadsValue), ("O", Rest)],
        ..SCRIPT
    },
    Options {
        names: &["tclsh"],
        words: &[("-encoding", Value)],
        ..SCRIPT
    },
    Options {
        names: &["rscript"],
        letters: &[("e", Code)],
        words: &[
            (
                "--verbose --vanilla --no-environ --no-save --no-restore --no-echo",
                Nothing,
            ),
            ("--no-init-file --no-site-file", Nothing),
        ],
        other_words: Some(Loads),
        ..SCRIPT
    },
    Options {
        names: &["r"],
        letters: &[("f", File), ("e", Code), ("gd", LoadsValue)],
        words: &[
            (
                "--vanilla --no-environ --no-save --no-restore --no-echo --slave",
                Nothing,
            ),
            ("--file", File),
            ("--args", Other),
        ],
        other_words: Some(Loads),
        first: First::Nothing,
        ..SCRIPT
    },
    Options {
        names: &["awk", "gawk", "mawk", "nawk", "original"],
        letters: &[
            ("bcCgINMnOPrsStV", Nothing),
            ("Fv", Value),
            ("dDop", Rest),
            ("L", Rest),
            // Of mawk -W takes options of several kinds, of which one names a file.
            ("ilW", LoadsValue),
            ("f", File),
            ("E", LastFile),
            ("e", Code),
        ],
        words: &[
            (
                "--posix --traditional --re-interval --sandbox --optimize --bignum --non-decimal-data",
                Nothing,
            ),
            ("--field-separator --assign", Value),
            ("--include --load", LoadsValue),
            ("--file", File),
            ("--exec", LastFile),
            ("--source", Code),
        ],
        first: First::Code,
        ..SCRIPT
    },
    Options {
        names: &["node", "nodejs"],
        letters: &[
            ("c", Nothing),
            ("i", Loads),
            ("C", Value),
            ("r", LoadsValue),
            ("ep", Code),
        ],
        words: &[
            (
                "--conditions --title --icu-data-dir --input-type --stack-trace-limit",
                Value,
            ),
            (
                "--no-warnings --no-deprecation --trace-warnings --enable-source-maps",
                Nothing,
            ),
            (
                "--max-old-space-size --max-http-header-size --unhandled-rejections",
                Value,
            ),
            (
                "--require --import --loader --experimental-loader --env-file --env-file-if-exists",
                LoadsValue,
            ),
            (
                "--openssl-config --inspect-port --debug-port --watch-path --localstorage-file",
                LoadsValue,
            ),
            (
                "--snapshot-blob --experimental-config-file --diagnostic-dir --test-reporter",
                LoadsValue,
            ),
            ("--eval --print", Code),
            ("--interactive", Loads),
            ("--run --test", Other),
        ],
        // Those of the engine take no argument of their own.
        other_words: Some(Loads),
        ..SCRIPT
    },
    Options {
        names: &["deno"],
        letters: &[
            ("ANRWESq", Nothing),
            ("I", Rest),
            ("Lc", LoadsValue),
            ("r", LoadsRest),
        ],
        words: &[
            (
                "--quiet --no-prompt --no-lock --frozen --no-remote --cached-only --no-check",
                Nothing,
            ),
            ("--log-level --seed --location --cert --ext", Value),
            ("--config --import-map --preload --lock", LoadsValue),
        ],
        other_words: Some(Loads),
        commands: &[
            ("run", Nothing),
            ("eval", Code),
            ("test bench task repl serve compile install", Other),
        ],
        ..SCRIPT
    },
    Options {
        names: &["bun"],
        letters: &[("b", Nothing), ("rcdl", LoadsValue), ("ep", Code)],
        words: &[
            ("--silent --bun --smol", Nothing),
            (
                "--cwd --config --preload --require --import --env-file --define --loader",
                LoadsValue,
            ),
            ("--eval --print", Code),
        ],
        other_words: Some(Loads),
        commands: &[
            ("run", Nothing),
            ("exec", Code),
            ("test install add build create x", Other),
        ],
        ..SCRIPT
    },
    Options {
        names: &["java"],
        words: &[
            (
                "-server -client -ea -esa -da -dsa -showversion --show-version --enable-preview",
                Nothing,
            ),
            (
                "--add-opens --add-exports --add-reads --add-modules --limit-modules --source",
                LoadsValue,
            ),
            ("--enable-native-access --illegal-native-access", LoadsValue),
            (
                "-cp -classpath --class-path -p --module-path --upgrade-module-path --patch-module",
                LoadsValue,
            ),
            ("-jar", LastFile),
            ("-m --module", Name),
            ("-version --version -help --help -h -?", Other),
        ],
        other_words: Some(Loads),
        first: First::ClassOr(".java"),
        ..SCRIPT
    },
];

#[cfg(test)]
mod tests {
    use claviger_sensor_common::INTERPRETERS;

    use super::*;

    #[test]
    fn each_interpreter_that_the_kernel_half_knows_has_options() {
        for name in INTERPRETERS {
            assert!(Options::of(NameWord::of(name.as_bytes())).is_some(), "{name}");
        }
        let rows = TABLE.iter().flat_map(|options| options.names);
        for name in rows {
            assert!(INTERPRETERS.contains(name), "{name}");
        }
    }

    #[test]
    fn no_option_stands_in_two_rows() {
        for options in TABLE {
            let mut letters: Vec<_> = options.letters.iter().flat_map(|(row, _)| row.bytes()).collect();
            letters.sort_unstable();
            let all = letters.len();
            letters.dedup();
            assert_eq!(all, letters.len(), "{:?}", options.names);
            let mut words: Vec<_> = options.words.iter().flat_map(|(row, _)| row.split(' ')).collect();
            words.sort_unstable();
            let all = words.len();
            words.dedup();
            assert_eq!(all, words.len(), "{:?}", options.names);
        }
    }
}
