//! A part that many messages have in common.

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, OnceLock},
};

use prost::{
    DecodeError, Message,
    bytes::{Buf, BufMut},
    encoding::{DecodeContext, WireType},
};
use serde::{Serialize, Serializer};

/// A message that is a part of many others, kept once: a copy of it copies no text, and its bytes are made once for all of them. On the wire, in
/// JSON and in comparisons it is nothing but the message.
#[derive(Clone, Default)]
pub struct Shared<T>(Arc<Kept<T>>);

#[derive(Default)]
struct Kept<T> {
    message: T,
    /// Made when they are asked for first.
    encoded: OnceLock<Box<[u8]>>,
}

impl<T> Shared<T> {
    /// To be changed; the others that had it in common keep it as it was.
    pub fn to_mut(&mut self) -> &mut T
    where
        T: Clone,
    {
        let kept = Arc::make_mut(&mut self.0);
        kept.encoded.take();
        &mut kept.message
    }
}

impl<T: Clone> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self {
            message: self.message.clone(),
            encoded: OnceLock::new(),
        }
    }
}

impl<T: Message> Shared<T> {
    fn encoded(&self) -> &[u8] {
        self.0
            .encoded
            .get_or_init(|| self.0.message.encode_to_vec().into_boxed_slice())
    }
}

impl<T> From<T> for Shared<T> {
    fn from(message: T) -> Self {
        Self(Arc::new(Kept {
            message,
            encoded: OnceLock::new(),
        }))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.message
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || **self == **other
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Serialize> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<T: Message + Clone + Default> Message for Shared<T> {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        buf.put_slice(self.encoded());
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        self.to_mut().merge_field(tag, wire_type, buf, ctx)
    }

    fn encoded_len(&self) -> usize {
        self.encoded().len()
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::Workload;

    fn workload(id: &str) -> Workload {
        Workload {
            id: id.into(),
            host: "web1".into(),
            ..Workload::default()
        }
    }

    #[test]
    fn its_bytes_and_its_json_are_the_messages() {
        let message = workload("systemd://web1/nginx.service");
        let shared = Shared::from(message.clone());
        let bytes = message.encode_to_vec();
        assert_eq!(shared.encoded_len(), bytes.len());
        assert_eq!(shared.encode_to_vec(), bytes);
        assert_eq!(
            *Shared::<Workload>::decode(bytes.as_slice()).expect("decodes"),
            message
        );
        assert_eq!(
            serde_json::to_value(&shared).expect("serializes"),
            serde_json::to_value(&message).expect("serializes")
        );
    }

    #[test]
    fn what_is_changed_is_changed_for_itself_alone_and_encoded_anew() {
        let before = Shared::from(workload("a"));
        let mut after = before.clone();
        let bytes = before.encode_to_vec();
        after.to_mut().id = "b".into();
        assert_eq!((before.id.as_str(), after.id.as_str()), ("a", "b"));
        assert_eq!(before.encode_to_vec(), bytes);
        assert_eq!(after.encode_to_vec(), workload("b").encode_to_vec());
        after.to_mut().id = "c".into();
        assert_eq!(
            after.encode_to_vec(),
            workload("c").encode_to_vec(),
            "not kept by others"
        );
    }
}
