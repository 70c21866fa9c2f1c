//! The options of each interpreter: data and nothing else.

use super::{
    First, Options,
    Takes::{
        Code, Digits, File, Input, LastFile, Loads, LoadsRest, LoadsValue, Name, Next, Nothing, Other, Rest,
        Value,
    },
};

const SCRIPT: Options = Options {
    names: &[],
    letters: &[],
    words: &[],
    other_words: None,
    plus: false,
    commands: &[],
    first: First::Script,
};

pub(super) const TABLE: &[Options] = &[
    Options {
        names: &[
            "sh", "bash", "rbash", "dash", "ash", "zsh", "ksh", "mksh", "csh", "tcsh",
        ],
        letters: &[
            ("abefhkmnpruvxBCHPVX", Nothing),
            // They read files of their own before the script; `E` does so in ksh.
            ("ilE", Loads),
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
            ("acfnpstTuUwWX", Nothing),
            ("l0", Digits),
            ("iCD", Rest),
            // `F` is put into the program as it is, and `S` looks for the script elsewhere.
            ("dxmMVF", LoadsRest),
            ("S", Loads),
            ("I", LoadsValue),
            ("eE", Code),
        ],
        ..SCRIPT
    },
    Options {
        names: &["ruby"],
        letters: &[
            ("acdlnpsvw", Nothing),
            ("S", Loads),
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
            ("dop", Rest),
            // The debugger reads its commands from a file.
            ("D", LoadsRest),
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
