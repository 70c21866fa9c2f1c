use super::*;

/// What is run by a command line: its path, and `+` before it where other code may run as well.
fn run(command: &str) -> Result<String, NotTold> {
    let mut words = command.split(' ');
    let name = NameWord::of(words.next().expect("a name").as_bytes());
    let mut given = Vec::new();
    for word in words {
        given.extend_from_slice(word.as_bytes());
        given.push(0);
    }
    script(name, &given, false).map(|script| {
        let mark = if script.beside_code { "+" } else { "" };
        format!("{mark}{}", String::from_utf8_lossy(script.path))
    })
}

#[test]
fn scripts_are_found_behind_options() {
    for (command, expected) in [
        ("sh x.sh -c", "x.sh"),
        ("sh -eu x.sh", "x.sh"),
        ("bash -euo pipefail x.sh", "x.sh"),
        ("bash -o pipefail -- x.sh", "x.sh"),
        ("bash +x -O extglob x.sh", "x.sh"),
        ("bash --norc x.sh", "x.sh"),
        ("bash --rcfile f x.sh", "+x.sh"),
        ("python3 -B x.py", "x.py"),
        ("python3.11 -W ignore x.py", "+x.py"),
        ("python3 -Wignore -X dev x.py", "+x.py"),
        ("perl -w -l012 x.pl", "x.pl"),
        ("perl -Ilib x.pl", "+x.pl"),
        ("perl -I lib -Mstrict x.pl", "+x.pl"),
        ("perl -F, -a x.pl", "+x.pl"),
        ("perl -S x.pl", "+x.pl"),
        ("ruby -S x.rb", "+x.rb"),
        ("ksh -E x.sh", "+x.sh"),
        ("gawk -Dcommands -f x.awk", "+x.awk"),
        ("sh - x.sh", "x.sh"),
        ("ruby -r json x.rb", "+x.rb"),
        ("php -f x.php", "x.php"),
        ("php -f x.php -d auto_prepend_file=y", "+x.php"),
        ("php -n x.php", "x.php"),
        ("lua x.lua", "x.lua"),
        ("lua -e a=1 x.lua", "+x.lua"),
        ("tclsh -encoding utf-8 x.tcl", "x.tcl"),
        ("Rscript --vanilla x.R", "x.R"),
        ("R --no-echo --no-restore --file=x.R --args y", "x.R"),
        ("awk -f x.awk data", "x.awk"),
        ("gawk -F : -v a=b -fx.awk", "x.awk"),
        ("gawk --file=x.awk", "x.awk"),
        ("mawk -f x.awk -f y.awk", "+x.awk"),
        ("gawk -f x.awk -e code", "+x.awk"),
        ("node x.js --require y", "x.js"),
        ("node --require y x.js", "+x.js"),
        ("node --max-old-space-size=1 x.js", "x.js"),
        ("node --jitless x.js", "+x.js"),
        ("deno run -A x.ts", "x.ts"),
        ("deno run --allow-net=host x.ts", "+x.ts"),
        ("bun run x.ts", "x.ts"),
        ("bun x.ts", "x.ts"),
        ("java -jar x.jar -version", "x.jar"),
        ("java -Xmx1g -cp lib -jar x.jar", "+x.jar"),
        ("java X.java", "X.java"),
    ] {
        assert_eq!(run(command), Ok(expected.to_owned()), "{command}");
    }
}

#[test]
fn code_and_names_are_no_scripts() {
    for (command, reason) in [
        ("sh -c code /usr/bin/x", NotTold::Code),
        ("sh -ec code /usr/bin/x", NotTold::Code),
        ("sh -s /usr/bin/x", NotTold::NoArgument),
        ("python3 -c code x.py", NotTold::Code),
        ("python3 -Bc code", NotTold::Code),
        ("python3 -m http.server", NotTold::Name),
        ("perl -e code /usr/bin/x", NotTold::Code),
        ("perl -lne code /usr/bin/x", NotTold::Code),
        ("perl -0777 -pe code", NotTold::Code),
        ("ruby -e code", NotTold::Code),
        ("php -r code", NotTold::Code),
        ("node -e code x.js", NotTold::Code),
        ("node --eval=code x.js", NotTold::Code),
        ("node --require y", NotTold::NoArgument),
        ("awk {print} /usr/bin/x", NotTold::Code),
        ("awk -F : {print}", NotTold::Code),
        ("java -cp lib Main", NotTold::Name),
        ("java -m mod/Main", NotTold::Name),
        ("java @arguments", NotTold::ByOption),
        ("deno eval code", NotTold::Code),
        ("python3 -", NotTold::NoArgument),
        ("python3 -W", NotTold::NoArgument),
        ("python3 -Z x.py", NotTold::ByOption),
        ("bash --unknown x.sh", NotTold::ByOption),
        ("cat x", NotTold::ByOption),
    ] {
        assert_eq!(run(command), Err(reason), "{command}");
    }
}

#[test]
fn of_what_was_cut_only_what_stands_before_the_cut_counts() {
    let python = NameWord::of(b"python3");
    assert_eq!(script(python, b"x.p", true), Err(NotTold::TooLong));
    assert_eq!(script(python, b"-B\0", true), Err(NotTold::TooLong));
    assert_eq!(script(python, b"-c\0a long co", true), Err(NotTold::Code));
    let found = script(python, b"x.py\0much", true).expect("found");
    assert_eq!((found.path, found.beside_code), (&b"x.py"[..], false));
    let php = script(NameWord::of(b"php"), b"-f\0x.php\0much", true).expect("found");
    assert!(php.beside_code, "what follows may be an option");
}

#[test]
fn any_bytes_are_read_to_an_end() {
    let pieces: [&[u8]; 12] = [
        b"-", b"--", b"\0", b"-f", b"-e", b"-o", b"=", b"x", b"-jar", b"run", b"+", b"\xff",
    ];
    for name in claviger_sensor_common::INTERPRETERS {
        for number in 0..12_usize.pow(3) {
            let mut given = Vec::new();
            for place in 0..3 {
                given.extend_from_slice(pieces[number / 12_usize.pow(place) % 12]);
            }
            for cut in [false, true] {
                let found = script(NameWord::of(name.as_bytes()), &given, cut);
                assert!(found.is_err() || given.contains(&0), "an argument has an end");
            }
        }
    }
}
