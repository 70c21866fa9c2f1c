use std::net::IpAddr;

use proptest::prelude::*;

use super::Answer;

fn written(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).expect("short"));
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// A record of a name, which may be one that goes on elsewhere.
fn record(name: &[u8], kind: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("short").to_be_bytes();
    [name, &[0, kind, 0, 1, 0, 0, 0, 60], &length, data].concat()
}

fn answer(name: &str, records: &[Vec<u8>]) -> Vec<u8> {
    let count = u8::try_from(records.len()).expect("few");
    let head = [7, 7, 0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0];
    [&head[..], &written(name), &[0, 1, 0, 1], &records.concat()].concat()
}

/// Where the question's name lies.
const ASKED: &[u8] = &[0xc0, 12];

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn addresses_are_told_of_the_name_that_was_asked_for() {
    let alias = written("lb.example.net");
    let message = answer(
        "STS.Amazonaws.com",
        &[
            record(ASKED, 5, &alias),
            record(&alias, 1, &[192, 0, 2, 1]),
            record(
                &alias,
                28,
                &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9],
            ),
            // Of a name that nobody asked for.
            record(&written("login.microsoftonline.com"), 1, &[192, 0, 2, 66]),
        ],
    );
    let found = Answer::parse(&message).expect("an answer");
    assert_eq!(found.name, "sts.amazonaws.com");
    assert_eq!(
        found.addresses,
        [(address("192.0.2.1"), 60), (address("2001:db8::9"), 60)]
    );
    for at in 0..message.len() {
        // Whatever is missing at the end.
        let found = Answer::parse(&message[..at]);
        assert!(found.is_none_or(|found| found.name == "sts.amazonaws.com"));
    }
}

#[test]
fn what_leads_in_circles_ends() {
    let to_itself = [0xc0, 12 + 4];
    let mut message = answer("a.b", &[record(ASKED, 1, &[192, 0, 2, 1])]);
    message[14..16].copy_from_slice(&to_itself);
    assert_eq!(Answer::parse(&message), None);
    // To a later place, and on from one pointer to the next.
    let mut pointers = answer("x", &[]);
    pointers.extend((0..40_u8).flat_map(|number| [0xc0, 18 + number * 2]));
    pointers[7] = 1;
    assert_eq!(Answer::parse(&pointers), None);
}

#[test]
fn what_is_no_answer_is_none() {
    let good = answer("a.example", &[record(ASKED, 1, &[192, 0, 2, 1])]);
    assert!(Answer::parse(&good).is_some());
    let changed = |at: usize, to: u8| {
        let mut message = good.clone();
        message[at] = to;
        Answer::parse(&message)
    };
    assert_eq!(changed(2, 0x01), None, "a question");
    assert_eq!(changed(3, 0x83), None, "there is no such name");
    assert_eq!(changed(5, 2), None, "two questions");
    assert_eq!(changed(7, 0), None, "no answers");
    let shorter = answer("a.example", &[record(ASKED, 1, &[192, 0, 2])]);
    assert_eq!(Answer::parse(&shorter), None);
    // A dot in a label, a byte that no name has.
    for label in [&b"\x03a.b\x00"[..], b"\x03a\x1bb\x00", b"\x00"] {
        let message = [
            &good[..12],
            label,
            &[0, 1, 0, 1],
            &record(ASKED, 1, &[192, 0, 2, 1]),
        ]
        .concat();
        assert_eq!(Answer::parse(&message), None, "{label:?}");
    }
}

proptest! {
    #[test]
    fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), with_header in any::<bool>()) {
        let mut message = bytes;
        if with_header {
            message.splice(0..0, [7, 7, 0x81, 0x80, 0, 1, 0, 9, 0, 0, 0, 0]);
        }
        let _found = Answer::parse(&message);
    }
}
