//! Whether a batch shows all that the contract has.

use std::collections::{BTreeMap, BTreeSet};

use claviger_proto::FILE_DESCRIPTOR_SET;
use claviger_proto::v1::{Batch, EventKind};
use prost::Message as _;
use prost::encoding::{WireType, decode_key, decode_varint};
use prost_types::{DescriptorProto, FileDescriptorSet};

const PACKAGE: &str = ".claviger.v1";

/// Every kind of event occurs, and every field of every message that is in a batch, or in anything in it, is set somewhere.
pub(crate) fn check(batch: &[u8]) {
    let decoded = Batch::decode(batch).expect("a batch");
    let kinds: BTreeSet<_> = decoded.events.iter().map(|event| event.kind).collect();
    let all: BTreeSet<_> = (1..)
        .take_while(|kind| EventKind::try_from(*kind).is_ok())
        .collect();
    assert_eq!(kinds, all, "one event of every kind");

    let mut set = BTreeMap::new();
    let messages = messages();
    walk(&messages, &format!("{PACKAGE}.Batch"), batch, &mut set);
    for (name, numbers) in set {
        let unset: Vec<_> = messages[&name]
            .field
            .iter()
            .filter(|field| !numbers.contains(&field.number()))
            .map(prost_types::FieldDescriptorProto::name)
            .collect();
        assert!(
            unset.is_empty(),
            "{name} is without {unset:?}: set it in sample.rs, in a new version of the batch and all that hold one"
        );
    }
}

/// The messages of the package, nested ones too, by their full names.
fn messages() -> BTreeMap<String, DescriptorProto> {
    let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET)
        .expect("descriptors")
        .file;
    let ours = files.into_iter().filter(|file| file.package() == &PACKAGE[1..]);
    let mut messages = BTreeMap::new();
    let mut waiting: Vec<_> = ours
        .flat_map(|file| file.message_type)
        .map(|message| (PACKAGE.to_owned(), message))
        .collect();
    while let Some((scope, message)) = waiting.pop() {
        let name = format!("{scope}.{}", message.name());
        waiting.extend(
            message
                .nested_type
                .iter()
                .map(|nested| (name.clone(), nested.clone())),
        );
        messages.insert(name, message);
    }
    messages
}

/// Notes the numbers of the fields that are on the wire, message by message.
fn walk(
    messages: &BTreeMap<String, DescriptorProto>,
    name: &str,
    mut bytes: &[u8],
    set: &mut BTreeMap<String, BTreeSet<i32>>,
) {
    let Some(message) = messages.get(name) else { return };
    while !bytes.is_empty() {
        let (number, wire_type) = decode_key(&mut bytes).expect("a key");
        let number = i32::try_from(number).expect("small");
        set.entry(name.to_owned()).or_default().insert(number);
        let length = match wire_type {
            WireType::Varint => {
                decode_varint(&mut bytes).expect("a number");
                0
            }
            WireType::LengthDelimited => decode_varint(&mut bytes).expect("a length"),
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            other => panic!("{other:?} is not of proto3"),
        };
        let (value, rest) = bytes.split_at(usize::try_from(length).expect("small"));
        bytes = rest;
        let field = message.field.iter().find(|field| field.number() == number);
        let field = field.unwrap_or_else(|| panic!("{name} has no field {number}"));
        walk(messages, field.type_name(), value, set);
    }
}
