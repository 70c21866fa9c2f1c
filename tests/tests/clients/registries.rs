//! Clients of registries of images: what they keep, and what they use of it.

use std::{fs, path::Path};

use claviger_tests::can_load;

use crate::{
    network::{Network, behind, of_kind},
    tools::home,
    words::{assert_story, story},
};

/// What a login is told to be, whoever keeps what came of it.
fn assert_login(network: &Network, command: &[&str], kept: &str) {
    let told = network.tell("", command);
    let lines = story(&told);
    let made = format!("created {kept} (registry_credentials)");
    for begun in [
        "identity_provider_connection at 127.0.0.2:443 (registry-1.docker.io, docker)",
        "identity_provider_connection at 127.0.0.2:443 (auth.docker.io, docker)",
        &made,
    ] {
        assert!(
            lines.iter().any(|line| line.starts_with(begun)),
            "{begun}: {}",
            told.words
        );
    }
}

#[test]
fn a_registry_s_client_is_told_with_the_credentials_that_it_keeps_and_reads() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["registry"]) else {
        return;
    };
    let kept = network.decoy.path(".config/containers/auth.json");
    fs::create_dir_all(kept.parent().expect("in a home")).expect("a directory");
    let kept = kept.display().to_string();
    let file = format!("REGISTRY_AUTH_FILE={kept}");
    let login = "echo decoy-password | skopeo login --username deployer --password-stdin docker.io";
    assert_login(&network, &[&file, "sh", "-c", login], &kept);
    let command = [&*file, "skopeo", "list-tags", "docker://docker.io/decoy/app"];
    let traced = network.trace("", &command);
    let event = of_kind(&traced, "identity_provider_connection")[0];
    assert_eq!(event["endpoint"]["provider"], "docker", "{event:#}");
    let (read, relation) = &behind(&traced, event)[0];
    assert_eq!(relation, "same_process", "{event:#}");
    assert_eq!(read["credential"]["kind"], "registry_credentials", "{read:#}");
    assert_eq!(read["credential"]["path"], kept, "{read:#}");
    let told = network.tell("", &command);
    let read = format!("read {kept} (registry_credentials)");
    let after = format!("  after     {read}, by itself");
    assert_story(
        &told,
        &[
            &read,
            "  by        /usr/bin/skopeo",
            "  identity  not known",
            "identity_provider_connection at 127.0.0.2:443 (registry-1.docker.io, docker)",
            "  by        /usr/bin/skopeo",
            &after,
            "identity_provider_connection at 127.0.0.2:443 (auth.docker.io, docker)",
            "  by        /usr/bin/skopeo",
            &after,
        ],
    );
}

#[test]
fn docker_is_told_with_the_credentials_that_it_keeps() {
    if !can_load() {
        return;
    }
    let Some(network) = Network::with(&["registry"]) else {
        return;
    };
    let docker = Network::unpacked("docker", Path::new("usr/bin/docker"));
    // As it keeps it until somebody has it use a program for that.
    let kept = format!("{}/.docker/config.json", home(&network));
    fs::create_dir_all(network.decoy.path(".docker")).expect("a directory");
    let login = format!("echo decoy-password | {docker} login --username deployer --password-stdin");
    assert_login(&network, &["sh", "-c", &login], &kept);
    let written = fs::read_to_string(&kept).expect("it was kept");
    assert!(written.contains("index.docker.io"), "{written}");
}
