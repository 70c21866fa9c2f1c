//! Calls and replies as RFC 5531 and RFC 4506 write them, as far as a small server needs.

/// A call, from behind its head on.
pub(super) struct Call<'a> {
    pub(super) xid: u32,
    pub(super) program: u32,
    pub(super) procedure: u32,
    rest: &'a [u8],
}

impl<'a> Call<'a> {
    /// Nothing where it is none.
    pub(super) fn read(record: &'a [u8]) -> Option<Self> {
        let mut call = Self {
            xid: 0,
            program: 0,
            procedure: 0,
            rest: record,
        };
        call.xid = call.number()?;
        let (_call, _version) = (call.number()?, call.number()?);
        call.program = call.number()?;
        let _version = call.number()?;
        call.procedure = call.number()?;
        // Credentials, and what proves them.
        for _ in 0..2 {
            call.number()?;
            call.opaque()?;
        }
        Some(call)
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        let (first, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(u32::from_be_bytes(*first))
    }

    pub(super) fn long(&mut self) -> Option<u64> {
        let (high, low) = (self.number()?, self.number()?);
        Some(u64::from(high) << 32 | u64::from(low))
    }

    pub(super) fn opaque(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let bytes = self.rest.get(..length)?;
        self.rest = self.rest.get(length.next_multiple_of(4)..)?;
        Some(bytes)
    }

    /// Which file a handle is of.
    pub(super) fn handle(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.opaque()?.try_into().ok()?))
    }
}

/// A reply.
pub(super) struct Out(Vec<u8>);

impl Out {
    /// One that was accepted.
    pub(super) fn reply(xid: u32) -> Self {
        let mut out = Self(Vec::new());
        out.numbers([xid, 1, 0, 0, 0, 0]);
        out
    }

    pub(super) fn number(&mut self, number: u32) {
        self.0.extend(number.to_be_bytes());
    }

    pub(super) fn numbers(&mut self, numbers: impl IntoIterator<Item = u32>) {
        for number in numbers {
            self.number(number);
        }
    }

    pub(super) fn long(&mut self, number: u64) {
        self.0.extend(number.to_be_bytes());
    }

    pub(super) fn opaque(&mut self, bytes: &[u8]) {
        self.number(u32::try_from(bytes.len()).expect("short"));
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    pub(super) fn handle(&mut self, of: u64) {
        self.opaque(&of.to_be_bytes());
    }

    /// As one fragment, the last one.
    pub(super) fn record(self) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).expect("short");
        let head = (length | 0x8000_0000).to_be_bytes();
        [&head[..], &self.0].concat()
    }
}
