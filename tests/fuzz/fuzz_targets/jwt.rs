#![no_main]

use std::path::Path;

libfuzzer_sys::fuzz_target!(|content: &[u8]| {
    let parsed =
        claviger_sensor::credential::identities("kubernetes_service_account_token", Path::new("/x"), content);
    assert_eq!(parsed.identities.is_empty(), parsed.unknown_reason.is_some());
});
