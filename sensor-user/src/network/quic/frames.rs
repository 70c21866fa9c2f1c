//! Frames of an Initial: of these only the ones that carry the handshake are of use (RFC 9000, 12.4).

use crate::network::cursor::Cursor;

const PADDING: u64 = 0x00;
const PING: u64 = 0x01;
const ACK: u64 = 0x02;
const ACK_ECN: u64 = 0x03;
const CRYPTO: u64 = 0x06;
/// Ranges of an ACK, at most: a packet has no room for more.
const RANGES_MAX: u64 = 1024;

/// Hands over what each CRYPTO frame carries, and where in the handshake it belongs. Stops at what may not stand in an Initial.
pub(super) fn crypto<'a>(payload: &'a [u8], mut take: impl FnMut(u64, &'a [u8])) {
    let mut cursor = Cursor::new(payload);
    while !cursor.is_empty() {
        let Some((offset, bytes)) = next(&mut cursor) else {
            return;
        };
        if !bytes.is_empty() {
            take(offset, bytes);
        }
    }
}

/// What the next frame carries; nothing where it is none that is known here.
fn next<'a>(cursor: &mut Cursor<'a>) -> Option<(u64, &'a [u8])> {
    match cursor.varint()? {
        PADDING | PING => {}
        kind @ (ACK | ACK_ECN) => {
            let (_largest, _delay) = (cursor.varint()?, cursor.varint()?);
            let ranges = cursor.varint().filter(|count| *count <= RANGES_MAX)?;
            let _first = cursor.varint()?;
            let counts = if kind == ACK_ECN { 3 } else { 0 };
            for _ in 0..ranges * 2 + counts {
                cursor.varint()?;
            }
        }
        CRYPTO => {
            let offset = cursor.varint()?;
            let length = usize::try_from(cursor.varint()?).ok()?;
            return Some((offset, cursor.take(length)?));
        }
        _ => return None,
    }
    Some((0, &[]))
}
