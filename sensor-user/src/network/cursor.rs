//! Bytes from outside, read from front to back. Nothing panics; what is not there is said as that.

/// What is left of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    left: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    pub(super) const fn left(&self) -> &'a [u8] {
        self.left
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, left) = self.left.split_at_checked(count)?;
        self.left = left;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, left) = self.left.split_first_chunk()?;
        self.left = left;
        Some(*taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u24(&mut self) -> Option<usize> {
        let [high, middle, low] = self.array()?;
        Some(usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// What has its length in a byte before it.
    pub(super) fn short(&mut self) -> Option<&'a [u8]> {
        let length = self.u8()?;
        self.take(usize::from(length))
    }

    /// What has its length in two bytes before it.
    pub(super) fn long(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    /// A number of one to eight bytes, as QUIC writes it (RFC 9000, 16): the two highest bits say how many.
    pub(super) fn varint(&mut self) -> Option<u64> {
        let first = *self.left.first()?;
        let bytes = self.take(1 << (first >> 6))?;
        let number = bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte));
        let bits = 8 * u32::try_from(bytes.len()).ok()? - 2;
        Some(number & (u64::MAX >> (64 - bits)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_the_standards_write_them() {
        let mut cursor = Cursor::new(&[1, 0, 2, 0, 0, 3, 0, 0, 0, 4, 2, b'a', b'b', 0, 1, b'c']);
        assert_eq!(cursor.u8(), Some(1));
        assert_eq!(cursor.u16(), Some(2));
        assert_eq!(cursor.u24(), Some(3));
        assert_eq!(cursor.u32(), Some(4));
        assert_eq!(cursor.short(), Some(&b"ab"[..]));
        assert_eq!(cursor.long(), Some(&b"c"[..]));
        assert!(cursor.is_empty());
        assert_eq!(cursor.u8(), None);
    }

    /// The examples of RFC 9000, A.1.
    #[test]
    fn numbers_of_quic_have_their_length_in_the_first_bits() {
        let of = |bytes: &[u8]| Cursor::new(bytes).varint();
        assert_eq!(
            of(&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c]),
            Some(151_288_809_941_952_652)
        );
        assert_eq!(of(&[0x9d, 0x7f, 0x3e, 0x7d]), Some(494_878_333));
        assert_eq!(of(&[0x7b, 0xbd]), Some(15_293));
        assert_eq!(of(&[0x25]), Some(37));
        assert_eq!(of(&[0x40, 0x25]), Some(37));
        assert_eq!(of(&[0x40]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn a_length_that_lies_takes_nothing() {
        let mut cursor = Cursor::new(&[5, 1, 2]);
        assert_eq!(cursor.short(), None);
    }
}
