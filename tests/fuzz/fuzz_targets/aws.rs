#![no_main]

use std::path::Path;

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    for kind in ["aws_access_key", "aws_sso_token"] {
        let parsed = claviger_sensor::credential::identities(kind, Path::new("/x"), content);
        assert_eq!(parsed.identities.is_empty(), parsed.unknown_reason.is_some());
    }
});
