//! Real interpreters, started with options as people start them: the script is named, or it is said that there is none.

use claviger_tests::vm;

use crate::{
    cases::{ARGUMENT, Cases, Seen, installed},
    programs::script,
};

/// What is told of the script.
#[derive(Clone, Copy)]
enum Told {
    /// It, by its argument.
    Named(&'static str),
    /// It, and that it may not be all that ran.
    BesideCode(&'static str),
    /// None, for a reason in which these words are.
    NoScript(&'static str),
}

use Told::{BesideCode, Named, NoScript};

/// Case, places of the interpreter, its arguments with `@` for the file that is to be read, and what is told.
const CASES: &[(&str, &[&str], &str, Told)] = &[
    ("sh-code", &["/bin/sh"], "-ec 'read x < $1' x @", NoScript("code")),
    (
        "bash-option",
        &["/bin/bash"],
        "-eo pipefail r.sh @",
        Named("r.sh"),
    ),
    (
        "bash-rc",
        &["/bin/bash"],
        "--rcfile r.awk r.sh @",
        BesideCode("r.sh"),
    ),
    ("python-w", PYTHON, "-W ignore r.py @", BesideCode("r.py")),
    ("python-module", PYTHON, "-m r @", NoScript("module")),
    (
        "python-code",
        PYTHON,
        "-Bc 'import sys; open(sys.argv[1]).read()' @",
        NoScript("code"),
    ),
    ("perl", &["/usr/bin/perl"], "-w -l012 r.pl @", Named("r.pl")),
    (
        "perl-module",
        &["/usr/bin/perl"],
        "-Mstrict r.pl @",
        BesideCode("r.pl"),
    ),
    ("perl-code", &["/usr/bin/perl"], "-ne 1 @", NoScript("code")),
    ("awk", AWK, "-F : -f r.awk @", Named("r.awk")),
    ("awk-two", AWK, "-f r.awk -f r.awk @", BesideCode("r.awk")),
    ("awk-code", AWK, "'{ lines++ }' @", NoScript("code")),
    ("node", NODE, "--max-old-space-size=100 r.js @", Named("r.js")),
    ("node-require", NODE, "--require fs r.js @", BesideCode("r.js")),
    (
        "node-code",
        NODE,
        "-e 'require(`fs`).readFileSync(process.argv[1])' @",
        NoScript("code"),
    ),
    ("java", JAVA, "R.java @", Named("R.java")),
    ("ruby", RUBY, "-W0 r.rb @", Named("r.rb")),
    ("ruby-require", RUBY, "-r json r.rb @", BesideCode("r.rb")),
    ("ruby-code", RUBY, "-e 'File.read(ARGV[0])' @", NoScript("code")),
    ("php", PHP, "-n -f r.php @", Named("r.php")),
    (
        "php-setting",
        PHP,
        "-d memory_limit=64M r.php @",
        BesideCode("r.php"),
    ),
    (
        "php-code",
        PHP,
        "-r 'file_get_contents($argv[1]);' @",
        NoScript("code"),
    ),
    ("lua", LUA, "r.lua @", Named("r.lua")),
    ("lua-library", LUA, "-l string r.lua @", BesideCode("r.lua")),
    ("lua-code", LUA, "-e 'x = 1' r.lua @", BesideCode("r.lua")),
];

const PYTHON: &[&str] = &["/usr/bin/python3"];
const AWK: &[&str] = &["/usr/bin/gawk", "/usr/bin/mawk", "/usr/bin/awk"];
const NODE: &[&str] = &["/usr/bin/node"];
const JAVA: &[&str] = &["/usr/bin/java"];
const RUBY: &[&str] = &["/usr/bin/ruby"];
const PHP: &[&str] = &["/usr/bin/php"];
const LUA: &[&str] = &["/usr/bin/lua5.4", "/usr/bin/lua"];

pub(crate) fn run(cases: &mut Cases) {
    cases.script("r.sh", "read x < $1\n");
    cases.script("r.py", "import sys\nopen(sys.argv[1]).read()\n");
    cases.script("r.pl", "open(my $f, '<', $ARGV[0]); my @all = <$f>;\n");
    cases.script("r.awk", "{ lines++ }\n");
    cases.script("r.rb", "File.read(ARGV[0])\n");
    cases.script("r.php", "<?php file_get_contents($argv[1]);\n");
    cases.script("r.lua", "io.open(arg[1]):read('a')\n");
    cases.script("r.js", "require('fs').readFileSync(process.argv[2])\n");
    let java = "class R { public static void main(String[] a) throws Exception { new java.io.FileInputStream(a[0]).read(); } }";
    cases.script("R.java", java);
    for (case, places, arguments, _) in CASES {
        let Some(interpreter) = here(places) else {
            eprintln!("skipped: {case}, for none of {places:?} is here");
            continue;
        };
        let arguments = arguments.replace('@', &cases.target(case)).replace('`', "\"");
        let secret = if case.starts_with("awk") || case.starts_with("perl-code") {
            ""
        } else {
            ARGUMENT
        };
        cases.run(&format!("{interpreter} {arguments} {secret}"));
    }
}

pub(crate) fn are_told(seen: &Seen) {
    for (case, places, _, told) in CASES {
        if here(places).is_none() {
            continue;
        }
        let events = seen.all(case);
        assert!(!events.is_empty(), "{case}");
        for event in events {
            let process = &event["actor"]["process"];
            match told {
                Named(name) => assert_eq!(
                    script(process),
                    (seen.beside(name).as_str(), "argument"),
                    "{case}: {process:#}"
                ),
                BesideCode(name) => assert_eq!(
                    script(process),
                    (seen.beside(name).as_str(), "argument_beside_code"),
                    "{case}: {process:#}"
                ),
                NoScript(words) => {
                    assert_eq!(script(process), ("", "unspecified"), "{case}: {process:#}");
                    let reason = process["script"]["unknown_reason"].as_str().expect("a reason");
                    assert!(reason.contains(words), "{case}: {reason}");
                }
            }
        }
    }
}

/// An interpreter, where it is to be had. What takes seconds to start is left out where the processor is emulated.
fn here(places: &[&str]) -> Option<String> {
    let is_slow = [NODE, JAVA].contains(&places);
    installed(places).filter(|_| !(vm() && is_slow))
}
