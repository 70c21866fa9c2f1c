//! One answer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::name;
use crate::network::cursor::Cursor;

const HEADER: usize = 12;
/// QR: it is an answer. Opcode and RCODE: of a plain question, without an error.
const FLAGS: u16 = 0x8000 | 0x7800 | 0x000f;
const ANSWERED: u16 = 0x8000;
const CLASS_IN: u16 = 1;
const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_AAAA: u16 = 28;
/// Records of an answer that are looked at, at most.
const RECORDS_MAX: u16 = 128;

/// The addresses of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The name that was asked for, in lower case.
    pub name: String,
    /// Its addresses, each with the seconds for which it holds.
    pub addresses: Vec<(IpAddr, u32)>,
}

impl Answer {
    /// Reads a message. Nothing where it is none that tells addresses of the one name that was asked for.
    #[must_use]
    pub fn parse(message: &[u8]) -> Option<Self> {
        let mut header = Cursor::new(message.get(..HEADER)?);
        let _id = header.u16()?;
        if header.u16()? & FLAGS != ANSWERED || header.u16()? != 1 {
            return None;
        }
        let count = header.u16()?.min(RECORDS_MAX);
        let (asked, at) = name::read(message, HEADER)?;
        // Type and class of the question.
        let mut at = at + 4;
        // By the order of an answer, an alias stands before what it leads to.
        let mut names = vec![asked.clone()];
        let mut addresses = Vec::new();
        for _ in 0..count {
            // What is there of an answer that was cut is as good.
            let Some(record) = Record::read(message, at) else {
                break;
            };
            at = record.end;
            if record.class != CLASS_IN || !names.contains(&record.name) {
                continue;
            }
            let address = match record.kind {
                TYPE_A => <[u8; 4]>::try_from(record.data)
                    .ok()
                    .map(|four| Ipv4Addr::from(four).into()),
                TYPE_AAAA => <[u8; 16]>::try_from(record.data)
                    .ok()
                    .map(|all| Ipv6Addr::from(all).into()),
                TYPE_CNAME => {
                    let alias = name::read(message, record.end - record.data.len());
                    names.extend(alias.map(|(alias, _)| alias).filter(|alias| !alias.is_empty()));
                    None
                }
                _ => None,
            };
            addresses.extend(address.map(|address| (address, record.lifetime)));
        }
        (!asked.is_empty() && !addresses.is_empty()).then_some(Self {
            name: asked,
            addresses,
        })
    }
}

struct Record<'a> {
    name: String,
    kind: u16,
    class: u16,
    lifetime: u32,
    data: &'a [u8],
    end: usize,
}

impl<'a> Record<'a> {
    fn read(message: &'a [u8], at: usize) -> Option<Self> {
        let (name, at) = name::read(message, at)?;
        let mut cursor = Cursor::new(message.get(at..)?);
        let (kind, class, lifetime) = (cursor.u16()?, cursor.u16()?, cursor.u32()?);
        let data = cursor.long()?;
        Some(Self {
            name,
            kind,
            class,
            lifetime,
            data,
            end: message.len() - cursor.left().len(),
        })
    }
}
