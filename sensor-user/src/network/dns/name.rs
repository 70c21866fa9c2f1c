//! Names, which can go on elsewhere in the message.

use crate::network::tls::host;

/// Bytes of a name as it is written, at most (RFC 1035, 3.1).
const WRITTEN_MAX: usize = 255;
/// Where a name goes on elsewhere, so often at most: each time further to the front, so there is an end in any case.
const JUMPS_MAX: usize = 16;

/// The name at `at`, in the form in which names are compared, and where what is behind it begins. Nothing where there is none; a name that is no
/// host's is an empty one.
pub(super) fn read(message: &[u8], at: usize) -> Option<(String, usize)> {
    let mut name = Vec::new();
    let (mut at, mut behind) = (at, None);
    let mut jumps = 0;
    loop {
        let length = *message.get(at)?;
        match length >> 6 {
            0 if length == 0 => {
                let name = host(&name).unwrap_or_default();
                return Some((name, behind.unwrap_or(at + 1)));
            }
            0 => {
                let end = at + 1 + usize::from(length);
                let label = message.get(at + 1..end)?;
                if !name.is_empty() {
                    name.push(b'.');
                }
                // A dot within a label would make another name of it.
                name.extend(label.iter().map(|byte| if *byte == b'.' { b'\\' } else { *byte }));
                if name.len() > WRITTEN_MAX {
                    return None;
                }
                at = end;
            }
            3 => {
                let low = *message.get(at + 1)?;
                let to = usize::from(length & 0x3f) << 8 | usize::from(low);
                jumps += 1;
                if to >= at || jumps > JUMPS_MAX {
                    return None;
                }
                behind = behind.or(Some(at + 2));
                at = to;
            }
            _ => return None,
        }
    }
}
