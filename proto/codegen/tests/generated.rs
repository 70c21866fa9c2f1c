//! The generated code is committed, so that nobody needs a protobuf compiler to build. This test makes it anew and fails where
//! it differs; `CLAVIGER_UPDATE=1 cargo test -p claviger-proto-codegen` writes what it should be.

use std::{fs, path::Path};

/// Enum-valued fields: their JSON form is the name in lower case without the prefix.
const ENUM_FIELDS: &[(&str, &str)] = &[
    ("Event.kind", "EventKind"),
    ("Event.outcome", "Outcome"),
    ("Actor.basis", "ActorBasis"),
    ("Workload.kind", "WorkloadKind"),
    ("Credential.operation", "Operation"),
    ("ProcessSecret.operation", "Operation"),
    ("Credential.matched_by", "MatchBasis"),
    ("Finding.severity", "Severity"),
    ("Program.basis", "ProgramBasis"),
    ("ProgramPlace.tree", "Tree"),
    ("Cause.relation", "CauseRelation"),
];

/// Timestamp fields: their JSON form is RFC 3339 with nanoseconds.
const TIMESTAMP_FIELDS: &[&str] = &[
    "Event.time",
    "Event.since",
    "Gap.from",
    "Gap.to",
    "Batch.sealed_at",
    "Finding.time",
    "Finding.event_time",
];

/// Hashes and signatures: lower-case hex.
const HEX_FIELDS: &[&str] = &["Gap.last_lost_batch_sha256", "Batch.previous_batch_sha256"];

/// Bytes that may hold anything: base64.
const BYTES_FIELDS: &[&str] = &["Credential.path_bytes"];

/// Parts that most events do not have: an event would take thrice the memory with room for all of them.
const BOXED_FIELDS: &[&str] = &[
    "Event.agent_socket",
    "Event.amendment",
    "Event.change",
    "Event.discovery",
    "Event.endpoint",
    "Event.gap",
    "Event.kernel_key",
    "Event.process_secret",
    "Event.sensor_status",
    "Event.tamper",
    "Event.tls",
];

/// Parts that many events, and what is found in them, have in common: who did it, on whose behalf, and which hook saw it.
const SHARED_FIELDS: &[(&str, &str, &str)] = &[
    ("Event", "actor", "Actor"),
    ("Event", "workload", "Workload"),
    ("Event", "observation", "Observation"),
    ("Finding", "actor", "Actor"),
    ("Finding", "workload", "Workload"),
];

/// Messages of the wire alone have no JSON form; some carry secrets, and none of those can be printed by mistake.
const WITHOUT_JSON: &[&str] = &[
    "EnrolRequest",
    "EnrolResponse",
    "Envelope",
    "ListFindingsRequest",
    "ListFindingsResponse",
    "PushRequest",
    "PushResponse",
    "Receipt",
    "Rejection",
    "Signature",
    "WatchRequest",
    "WatchResponse",
];

#[test]
fn committed_code_is_what_the_proto_files_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("proto/codegen lies in proto");
    let include = root.join("proto");
    let files: Vec<_> = ["event", "batch", "collector", "enrolment", "findings"]
        .iter()
        .map(|name| include.join(format!("claviger/v1/{name}.proto")))
        .collect();
    let descriptors = protox::compile(&files, [&include]).expect("the proto files compile");

    let out = tempfile::tempdir().expect("a temporary directory");
    let mut config = tonic_prost_build::Config::new();
    config.btree_map(["."]);
    let messages: Vec<String> = descriptors
        .file
        .iter()
        .filter(|file| file.package() == "claviger.v1")
        .flat_map(|file| file.message_type.iter().map(|message| message.name().to_owned()))
        .collect();
    for message in messages
        .iter()
        .filter(|message| !WITHOUT_JSON.contains(&message.as_str()))
    {
        let path = format!(".claviger.v1.{message}");
        config.message_attribute(&path, "#[derive(serde::Serialize)]");
    }
    let attribute = |config: &mut tonic_prost_build::Config, field: &str, with: &str| {
        config.field_attribute(
            format!(".claviger.v1.{field}"),
            format!("#[serde(serialize_with = \"crate::json::{with}\")]"),
        );
    };
    for (field, name) in ENUM_FIELDS {
        attribute(&mut config, field, &format!("enumeration::<{name}, _>"));
    }
    for field in TIMESTAMP_FIELDS {
        attribute(&mut config, field, "timestamp");
    }
    for field in HEX_FIELDS {
        attribute(&mut config, field, "hex");
    }
    for field in BYTES_FIELDS {
        attribute(&mut config, field, "base64");
    }
    for field in BOXED_FIELDS {
        config.boxed(format!(".claviger.v1.{field}"));
    }
    // A part that is not there is left out; everything else is always there, so that readers can rely on its shape.
    for file in descriptors
        .file
        .iter()
        .filter(|file| file.package() == "claviger.v1")
    {
        for message in &file.message_type {
            for field in &message.field {
                if field.r#type() == prost_types::field_descriptor_proto::Type::Enum
                    && !WITHOUT_JSON.contains(&message.name())
                {
                    let path = format!("{}.{}", message.name(), field.name());
                    let is_listed = ENUM_FIELDS.iter().any(|(listed, _)| *listed == path);
                    assert!(
                        is_listed,
                        "{path} would be a bare number in JSON: put it into ENUM_FIELDS"
                    );
                }
                let is_part = field.r#type() == prost_types::field_descriptor_proto::Type::Message
                    && field.label() != prost_types::field_descriptor_proto::Label::Repeated
                    && field.oneof_index.is_none();
                if (is_part || field.proto3_optional()) && !WITHOUT_JSON.contains(&message.name()) {
                    config.field_attribute(
                        format!(".claviger.v1.{}.{}", message.name(), field.name()),
                        "#[serde(skip_serializing_if = \"Option::is_none\")]",
                    );
                }
            }
        }
    }
    // A map is the one message-typed repeated field; nothing to say about it.
    tonic_prost_build::configure()
        .out_dir(out.path())
        .emit_rerun_if_changed(false)
        .compile_fds_with_config(descriptors.clone(), config)
        .expect("code is generated");

    let code = fs::read_to_string(out.path().join("claviger.v1.rs")).expect("generated");
    check(&root.join("src/gen/claviger.v1.rs"), share(code).as_bytes());
    let encoded = prost::Message::encode_to_vec(&descriptors);
    check(&root.join("src/gen/claviger.v1.fds"), &encoded);
}

/// The code with [`SHARED_FIELDS`] in their own type, which prost has no option for.
fn share(mut code: String) -> String {
    for (message, field, part) in SHARED_FIELDS {
        let start = code
            .find(&format!("pub struct {message} {{"))
            .expect("the message is generated");
        let end = start + code[start..].find("\n}").expect("it ends");
        let plain = format!("pub {field}: ::core::option::Option<{part}>");
        let at = code[start..end].find(&plain).expect("the field is what it was");
        let shared = format!("pub {field}: ::core::option::Option<crate::Shared<{part}>>");
        code.replace_range(start + at..start + at + plain.len(), &shared);
    }
    code
}

fn check(committed: &Path, fresh: &[u8]) {
    if std::env::var_os("CLAVIGER_UPDATE").is_some() {
        fs::write(committed, fresh).expect("written");
    }
    let current = fs::read(committed).unwrap_or_default();
    assert!(
        current == fresh,
        "{} is not what the proto files say; run CLAVIGER_UPDATE=1 cargo test -p claviger-proto-codegen",
        committed.display()
    );
}
