//! Variables by which whoever starts a program has it load code: the sensor looks for their names, the detector does not take a program that has one for
//! what it is called. Values are looked at by neither.

/// Programs that load what a variable names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// Any program: the dynamic loader does, or a library that many have.
    Any,
    /// Those whose names begin so.
    Named(&'static [&'static str]),
}

const SHELLS: By = By::Named(&[
    "sh", "dash", "ash", "bash", "rbash", "ksh", "mksh", "busybox", "toybox",
]);
const BASH: By = By::Named(&["bash", "rbash", "sh"]);
const ZSH: By = By::Named(&["zsh"]);
const KSH: By = By::Named(&["zsh", "ksh", "mksh"]);
const PERL: By = By::Named(&["perl"]);
const PYTHON: By = By::Named(&["python", "pypy"]);
const NODE: By = By::Named(&["node", "nodejs"]);
const BUN: By = By::Named(&["bun"]);
const DENO: By = By::Named(&["deno"]);
const RUBY: By = By::Named(&["ruby"]);
const JAVA: By = By::Named(&["java", "keytool", "jarsigner", "jshell"]);
const PHP: By = By::Named(&["php"]);
const LUA: By = By::Named(&["lua", "luajit"]);
const R: By = By::Named(&["R", "Rscript"]);
const AWK: By = By::Named(&["gawk", "awk"]);
const TCL: By = By::Named(&["tclsh", "wish"]);

/// All that are known, by name.
const VARIABLES: [(&str, By); 74] = [
    ("LD_PRELOAD", By::Any),
    ("LD_AUDIT", By::Any),
    (LIBRARY_PATH, By::Any),
    ("GCONV_PATH", By::Any),
    ("OPENSSL_CONF", By::Any),
    ("OPENSSL_ENGINES", By::Any),
    ("OPENSSL_MODULES", By::Any),
    ("ENV", SHELLS),
    ("BASH_ENV", BASH),
    ("SHELLOPTS", BASH),
    ("PS4", SHELLS),
    ("ZDOTDIR", ZSH),
    ("FPATH", KSH),
    ("PERL5OPT", PERL),
    ("PERL5LIB", PERL),
    ("PERLLIB", PERL),
    ("PERL_USE_UNSAFE_INC", PERL),
    ("PERL5DB", PERL),
    ("PYTHONPATH", PYTHON),
    ("PYTHONHOME", PYTHON),
    ("PYTHONSTARTUP", PYTHON),
    ("PYTHONUSERBASE", PYTHON),
    ("PYTHONBREAKPOINT", PYTHON),
    ("PYTHONPYCACHEPREFIX", PYTHON),
    ("PYTHONWARNINGS", PYTHON),
    ("PYTHONPLATLIBDIR", PYTHON),
    ("PYTHONINSPECT", PYTHON),
    ("PYTHON_PRESITE", PYTHON),
    ("NODE_OPTIONS", NODE),
    ("NODE_PATH", NODE),
    ("NODE_REPL_EXTERNAL_MODULE", NODE),
    ("NODE_COMPILE_CACHE", NODE),
    ("BUN_OPTIONS", BUN),
    ("BUN_INSPECT_PRELOAD", BUN),
    ("DENO_DIR", DENO),
    ("RUBYOPT", RUBY),
    ("RUBYLIB", RUBY),
    ("GEM_HOME", RUBY),
    ("GEM_PATH", RUBY),
    ("RUBYGEMS_GEMDEPS", RUBY),
    ("JAVA_TOOL_OPTIONS", JAVA),
    ("_JAVA_OPTIONS", JAVA),
    ("JDK_JAVA_OPTIONS", JAVA),
    ("IBM_JAVA_OPTIONS", JAVA),
    ("OPENJ9_JAVA_OPTIONS", JAVA),
    ("CLASSPATH", JAVA),
    ("PHPRC", PHP),
    ("PHP_INI_SCAN_DIR", PHP),
    ("LUA_PATH", LUA),
    ("LUA_PATH_5_2", LUA),
    ("LUA_PATH_5_3", LUA),
    ("LUA_PATH_5_4", LUA),
    ("LUA_CPATH", LUA),
    ("LUA_CPATH_5_2", LUA),
    ("LUA_CPATH_5_3", LUA),
    ("LUA_CPATH_5_4", LUA),
    ("LUA_INIT", LUA),
    ("LUA_INIT_5_2", LUA),
    ("LUA_INIT_5_3", LUA),
    ("LUA_INIT_5_4", LUA),
    ("R_PROFILE", R),
    ("R_PROFILE_USER", R),
    ("R_ENVIRON", R),
    ("R_ENVIRON_USER", R),
    ("R_LIBS", R),
    ("R_LIBS_USER", R),
    ("R_LIBS_SITE", R),
    ("R_HOME", R),
    ("R_DEFAULT_PACKAGES", R),
    ("AWKPATH", AWK),
    ("AWKLIBPATH", AWK),
    ("TCLLIBPATH", TCL),
    ("TCL_LIBRARY", TCL),
    ("TK_LIBRARY", TCL),
];

/// Where the dynamic loader looks for libraries first. Programs that bring their libraries along set it and start themselves once more.
pub const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// The names of all variables by which some program loads code.
pub fn code_variables() -> impl Iterator<Item = &'static str> {
    VARIABLES.into_iter().map(|(name, _)| name)
}

/// The variable of this name, where some program loads code by it.
#[must_use]
pub fn code_variable(name: &str) -> Option<&'static str> {
    code_variables().find(|known| *known == name)
}

/// Whether the program at this path loads code by this variable. One that is not known is taken to be for any program: whoever told it knows more.
#[must_use]
pub fn loads_code_by(variable: &str, program_path: &str) -> bool {
    let by = VARIABLES.into_iter().find(|(name, _)| *name == variable);
    let program = program_path.rsplit('/').next().unwrap_or_default();
    match by {
        None | Some((_, By::Any)) => true,
        Some((_, By::Named(names))) => names.iter().any(|name| is_of(program, name)),
    }
}

/// Whether a file of this name is such a program, whatever its version: `python3.11` is a `python`, `shadow` is no `sh`.
fn is_of(file: &str, name: &str) -> bool {
    file.strip_prefix(name)
        .is_some_and(|version| !version.starts_with(|c: char| c.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_variable_is_for_the_programs_that_load_by_it() {
        for (variable, program, expected) in [
            ("LD_PRELOAD", "/usr/bin/ssh", true),
            ("PYTHONPATH", "/usr/bin/python3.11", true),
            ("PYTHONPATH", "/usr/bin/ssh", false),
            ("PYTHONPATH", "/usr/bin/pythonic", false),
            ("PYTHONPYCACHEPREFIX", "/usr/bin/python3.11", true),
            ("PYTHONWARNINGS", "/usr/bin/python3", true),
            ("LUA_INIT", "/usr/bin/luajit", true),
            ("TCL_LIBRARY", "/usr/bin/tclsh8.6", true),
            ("PS4", "/usr/bin/dash", true),
            ("NODE_OPTIONS", "/usr/bin/nodejs", true),
            ("ENV", "/bin/sh", true),
            ("ENV", "/usr/sbin/sshd", false),
            ("JAVA_TOOL_OPTIONS", "/usr/lib/jvm/java-17/bin/java", true),
            ("SOMETHING_OF_TOMORROW", "/usr/bin/ssh", true),
            ("LD_PRELOAD", "", true),
            ("NODE_OPTIONS", "", false),
        ] {
            assert_eq!(loads_code_by(variable, program), expected, "{variable} {program}");
        }
    }

    /// Those that do the same as an option that counts as loading code.
    #[test]
    fn what_counts_as_an_option_counts_as_a_variable() {
        for name in [
            "PYTHONPYCACHEPREFIX",
            "PYTHONWARNINGS",
            "PYTHONINSPECT",
            "PYTHON_PRESITE",
            "PERL5OPT",
            "RUBYOPT",
            "NODE_OPTIONS",
        ] {
            assert_eq!(code_variable(name), Some(name));
        }
    }

    #[test]
    fn names_stand_once_and_are_short() {
        let names: HashSet<_> = code_variables().collect();
        assert_eq!(names.len(), VARIABLES.len());
        assert!(names.iter().all(|name| name.len() < 64));
        assert_eq!(code_variable("BASH_ENV"), Some("BASH_ENV"));
        assert_eq!(code_variable("GLIBC_TUNABLES"), None);
    }
}
