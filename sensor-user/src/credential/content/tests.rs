use std::{fs, fs::File, path::Path};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use claviger_proto::catalogue::{Catalogue, Layer};
use proptest::prelude::*;

use super::*;
use crate::credential::{MAX_CONTENT_BYTES, Places, ScanLimits};

const ALL: [Content; 4] = [
    Content::GoogleServiceAccount,
    Content::Jwt,
    Content::Keystore,
    Content::PrivateKey,
];

fn is(content: &[u8]) -> Vec<Content> {
    let recognised = recognise(content);
    ALL.into_iter().filter(|one| recognised.is(*one)).collect()
}

fn pem(label: &str) -> String {
    format!("-----BEGIN {label}-----\nZGVjb3k=\n-----END {label}-----\n")
}

fn jwt(claims: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.c2lnbmF0dXJl", part("{\"alg\":\"RS256\"}"), part(claims))
}

const SERVICE_ACCOUNT: &str = r#"{"type": "service_account", "project_id": "p", "private_key_id": "1", "private_key": "-----BEGIN PRIVATE KEY-----\nZGVjb3k=\n-----END PRIVATE KEY-----\n", "client_email": "a@p.iam.gserviceaccount.com"}"#;

#[test]
fn private_keys_are_recognised_and_certificates_are_none() {
    for label in [
        "PRIVATE KEY",
        "ENCRYPTED PRIVATE KEY",
        "RSA PRIVATE KEY",
        "EC PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
    ] {
        assert_eq!(is(pem(label).as_bytes()), [Content::PrivateKey], "{label}");
    }
    let both = format!("subject=x\r\n{}{}", pem("CERTIFICATE"), pem("PRIVATE KEY")).replace('\n', "\r\n");
    assert_eq!(is(both.as_bytes()), [Content::PrivateKey]);
    let within = format!("key: |\n  {}", pem("PRIVATE KEY").replace('\n', "\n  "));
    assert_eq!(is(within.as_bytes()), [Content::PrivateKey]);
    for none in [
        pem("CERTIFICATE"),
        pem("PUBLIC KEY"),
        "-----BEGIN PRIVATE KEY-----\ncut off".to_owned(),
        "say -----BEGIN PRIVATE KEY----- and -----END PRIVATE KEY-----".to_owned(),
        pem("PRIVATE KEY").replace("END PRIVATE", "END PUBLIC"),
        String::new(),
    ] {
        assert_eq!(is(none.as_bytes()), [], "{none}");
    }
}

#[test]
fn a_service_accounts_key_is_told_from_other_json() {
    assert_eq!(is(SERVICE_ACCOUNT.as_bytes()), [Content::GoogleServiceAccount]);
    for none in [
        SERVICE_ACCOUNT.replace("service_account", "authorized_user"),
        SERVICE_ACCOUNT.replace("private_key\"", "other\""),
        SERVICE_ACCOUNT.replace('}', ""),
        format!("[{SERVICE_ACCOUNT}]"),
        "{\"type\": \"service_account\"}".to_owned(),
        "{}".to_owned(),
        "[".repeat(10_000),
    ] {
        assert_eq!(is(none.as_bytes()), [], "{none:.80}");
    }
}

#[test]
fn a_token_is_told_from_other_text() {
    assert_eq!(
        is(format!("{}\n", jwt("{\"sub\":\"x\"}")).as_bytes()),
        [Content::Jwt]
    );
    for none in [
        jwt("[1]"),
        jwt("{\"sub\":\"x\"}").replace('.', ","),
        format!("{}.more", jwt("{\"sub\":\"x\"}")),
        format!("token: {}", jwt("{}")),
        "ey.ey.ey".to_owned(),
    ] {
        assert_eq!(is(none.as_bytes()), [], "{none}");
    }
}

#[test]
fn keystores_are_known_by_their_first_bytes() {
    for one in [
        &b"\x30\x82\x09\x01\x02\x01\x03\x30\x82"[..],
        b"\x30\x80\x02\x01\x03\x30\x80",
        b"\x30\x20\x02\x01\x03\x30",
        b"\xfe\xed\xfe\xed\x00\x00\x00\x02",
        b"\xce\xce\xce\xce\x00\x00\x00\x02",
    ] {
        assert_eq!(is(one), [Content::Keystore], "{one:x?}");
    }
    // A certificate in DER is no keystore.
    for none in [
        &b"\x30\x82\x03\x01\x30\x82\x02\x01"[..],
        b"\x30\x82",
        b"\x30\xff\x02\x01\x03\x30",
    ] {
        assert_eq!(is(none), [], "{none:x?}");
    }
}

#[test]
fn what_is_too_large_is_known_as_far_as_it_is() {
    let recognised = Recognised::too_large(b"\xfe\xed\xfe\xed");
    assert!(recognised.is(Content::Keystore));
    assert!(recognised.may_be(Content::PrivateKey) && !recognised.is(Content::PrivateKey));
    assert!(!recognised.may_be(Content::Jwt));
    assert!(ALL.iter().all(|one| Recognised::UNKNOWN.may_be(*one)));
    assert!(!ALL.iter().any(|one| Recognised::default().may_be(*one)));
}

#[test]
fn only_what_its_content_makes_a_credential_is_left_of_a_scan() {
    let root = tempfile::tempdir().expect("a folder");
    let at = |name: &str| root.path().join(name);
    fs::create_dir(at("srv")).expect("made");
    for (name, content) in [
        ("srv/site.key", pem("PRIVATE KEY")),
        ("srv/site.pem", pem("CERTIFICATE")),
        ("srv/token.pem", jwt("{}")),
        ("srv/bundle.pem", "x".repeat(MAX_CONTENT_BYTES + 1)),
        ("srv/site.txt", pem("PRIVATE KEY")),
    ] {
        fs::write(at(name), content).expect("written");
    }
    let layer = Layer {
        name: "own.toml",
        text: "version = 1\n[[kind]]\nname = \"k\"\ntitle = \"K\"\n\
               [[entry]]\nid = \"keys\"\nkind = \"k\"\nglobs = [\"/srv/*.{pem,key}\"]\ncontent = [\"private_key\"]\n\
               [[entry]]\nid = \"tokens\"\nkind = \"k\"\nglobs = [\"/srv/*\"]\ncontent = [\"jwt\"]\n",
    };
    let (catalogue, _) = Catalogue::default().with(&[layer]).expect("valid");
    let places = Places::new(&catalogue, Vec::new());
    let mut contents = Contents::default();
    let narrowed = |contents: &mut Contents| {
        let mut found = places.scan(root.path(), &ScanLimits::default()).expect("scanned");
        contents.narrow(File::open(root.path()).expect("a root"), &mut found, &|_| true);
        let mut left: Vec<_> = found
            .files
            .iter()
            .map(|file| (file.path.display().to_string(), file.entry.id().to_owned()))
            .collect();
        left.sort();
        left
    };
    let expect = |list: &[(&str, &str)]| {
        list.iter()
            .map(|(path, id)| ((*path).to_owned(), (*id).to_owned()))
            .collect::<Vec<_>>()
    };
    let first = expect(&[
        ("/srv/bundle.pem", "keys"),
        ("/srv/site.key", "keys"),
        ("/srv/token.pem", "tokens"),
    ]);
    assert_eq!(narrowed(&mut contents), first);
    assert_eq!(narrowed(&mut contents), first, "from memory");
    fs::write(at("srv/site.pem"), pem("EC PRIVATE KEY")).expect("written");
    assert!(
        narrowed(&mut contents)
            .iter()
            .any(|(path, _)| Path::new(path) == Path::new("/srv/site.pem")),
        "another version is looked at"
    );
    assert!(
        places.match_path(b"/srv/site.key").is_none(),
        "its path alone says nothing"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_something(content in proptest::collection::vec(any::<u8>(), 0..500)) {
        let _ = recognise(&content);
        let _ = Recognised::too_large(&content);
    }

    #[test]
    fn near_misses_do_not_panic(before in "[ \n{]{0,3}", cut in 0_usize..300, after in ".{0,20}") {
        for text in [SERVICE_ACCOUNT.to_owned(), jwt("{\"a\":1}"), pem("PRIVATE KEY")] {
            let cut: String = text.chars().take(cut).collect();
            let _ = recognise(format!("{before}{cut}{after}").as_bytes());
        }
    }
}
