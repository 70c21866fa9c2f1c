//! Private keys in PEM form, alone or among certificates, encrypted or not, also indented as within YAML.

/// Whether a line begins a private key, and one of the same label ends it behind.
pub(super) fn has_private_key(content: &[u8]) -> bool {
    let mut open: Option<&[u8]> = None;
    for line in content.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        match open {
            None => open = label(line, b"-----BEGIN ").filter(|label| is_private_key(label)),
            Some(begun) => {
                if label(line, b"-----END ") == Some(begun) {
                    return true;
                }
            }
        }
    }
    false
}

fn label<'a>(line: &'a [u8], frame: &[u8]) -> Option<&'a [u8]> {
    line.strip_prefix(frame)?.strip_suffix(b"-----")
}

fn is_private_key(label: &[u8]) -> bool {
    label.ends_with(b"PRIVATE KEY") || label == b"PGP PRIVATE KEY BLOCK"
}
