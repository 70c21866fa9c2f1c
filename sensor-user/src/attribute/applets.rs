//! Names of the programs in a program of many names (busybox, toybox, coreutils). By which one it was called is for the caller to choose, and could be
//! anything; only a name from this list is told.

/// Those that open, copy, change, send or run something. In order, for the binary search.
const APPLETS: &[&str] = &[
    "[", "ar", "arp", "ash", "awk", "base32", "base64", "basename", "bash", "bc", "bunzip2", "bzcat", "bzip2", "cat", "chgrp",
    "chmod", "chown", "chroot", "cksum", "cmp", "comm", "cp", "cpio", "csplit", "cttyhack", "cut", "date", "dc", "dd", "devmem",
    "df", "diff", "dirname", "dnsdomainname", "dos2unix", "dpkg", "dpkg-deb", "du", "echo", "ed", "egrep", "env", "expand", "expr",
    "factor", "fallocate", "false", "fgrep", "find", "flock", "fold", "free", "fsync", "ftpget", "ftpput", "fuser", "getopt",
    "grep", "groups", "gunzip", "gzip", "head", "hexdump", "hexedit", "hostname", "httpd", "hush", "id", "init", "install", "ionice",
    "kill", "killall", "less", "link", "linux32", "linux64", "ln", "logger", "logname", "losetup", "ls", "lsof", "lzcat", "lzma", "lzop",
    "lzopcat", "md5sum", "microcom", "mkdir", "mkfifo", "mknod", "mktemp", "more", "mount", "mountpoint", "mt", "mv", "nc", "netcat",
    "netstat", "nice", "nl", "nohup", "nproc", "nsenter", "nslookup", "od", "paste", "patch", "pgrep", "pidof", "ping", "pivot_root",
    "pkill", "printenv", "printf", "ps", "pwd", "readlink", "realpath", "renice", "reset", "resume", "rev", "rm", "rmdir", "rpm",
    "rpm2cpio", "run-init", "run-parts", "runuser", "sed", "seq", "setpriv", "setsid", "sh", "sha1sum", "sha256sum", "sha384sum",
    "sha3sum", "sha512sum", "shred", "shuf", "sleep", "sort", "split", "ssl_client", "start-stop-daemon", "stat", "strings", "stty",
    "su", "sum", "switch_root", "sync", "syslogd", "tac", "tail", "tar", "taskset", "tee", "telnet", "test", "tftp", "time", "timeout",
    "top", "touch", "tr", "true", "truncate", "tsort", "tty", "udhcpc", "umount", "uname", "uncompress", "unexpand", "uniq", "unix2dos",
    "unlink", "unlzma", "unshare", "unxz", "unzip", "uptime", "usleep", "uudecode", "uuencode", "vi", "vim", "watch", "wc", "wget", "which",
    "who", "whoami", "xargs", "xxd", "xz", "xzcat", "yes", "zcat",
];

/// The applet of that name, which may have a directory before it; nothing where it is not known as one.
pub(super) fn known(called: &[u8]) -> Option<&'static str> {
    let name = called.rsplit(|byte| *byte == b'/').next()?;
    // A login shell's name begins so.
    let name = name.strip_prefix(b"-").unwrap_or(name);
    let place = APPLETS.binary_search_by(|known| known.as_bytes().cmp(name)).ok()?;
    APPLETS.get(place).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order() {
        assert!(APPLETS.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn only_a_known_name_is_told() {
        assert_eq!(known(b"cat"), Some("cat"));
        assert_eq!(known(b"/bin/cat"), Some("cat"));
        assert_eq!(known(b"-sh"), Some("sh"));
        for other in [&b"hunter2"[..], b"", b"/", b"cat ", b"/bin/hunter2"] {
            assert_eq!(known(other), None);
        }
    }
}
