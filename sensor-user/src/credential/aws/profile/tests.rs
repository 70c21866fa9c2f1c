use claviger_proto::v1::Identity;

use crate::credential::aws::profiles_or_cache;

fn read(text: &str) -> Vec<Identity> {
    profiles_or_cache(text.as_bytes()).expect("identities")
}

#[test]
fn every_profile_is_an_identity() {
    let found = read(
        "# a comment\n[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = s\n\n\
         [work]\naws_access_key_id=ASIAQNZGKIQY56JQ7WML ; session\naws_secret_access_key=s\naws_session_token=t\n",
    );
    let seen: Vec<_> = found
        .iter()
        .map(|i| (i.id.as_str(), i.attributes["profile"].as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            ("AKIAIOSFODNN7EXAMPLE", "default"),
            ("ASIAQNZGKIQY56JQ7WML", "work")
        ]
    );
    assert_eq!(found[1].attributes["account"], "029608264753");
    assert_eq!(found[1].attributes["temporary"], "true");
    assert_eq!(found[0].evidence[0].value, "default");
}

#[test]
fn a_configuration_names_roles() {
    let found = read(
        "[default]\nregion = eu-west-1\n\
         [profile deploy]\nrole_arn = arn:aws:iam::123456789012:role/deploy\nsource_profile = default\n\
         [profile sso]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Admin\n\
         [sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\n\
         [profile helper]\ncredential_process = /opt/helper --password hunter2\n",
    );
    let seen: Vec<_> = found.iter().map(|i| (i.kind.as_str(), i.id.as_str())).collect();
    assert_eq!(
        seen,
        [
            ("aws_role_arn", "arn:aws:iam::123456789012:role/deploy"),
            ("aws_sso_role", "123456789012/Admin"),
            ("aws_profile", "helper"),
        ]
    );
    assert_eq!(found[0].attributes["source_profile"], "default");
    assert_eq!(found[0].attributes["account"], "123456789012");
    assert_eq!(found[1].attributes["sso_session"], "corp");
    assert_eq!(found[2].attributes["credential_process"], "present");
    assert!(!format!("{found:?}").contains("hunter2"));
}

#[test]
fn lines_that_belong_to_another_value_are_none_of_their_own() {
    let found = read("[a]\ns3 =\n  aws_access_key_id = AKIAIOSFODNN7EXAMPLE\nsource_profile = b\n");
    assert_eq!(found[0].kind, "aws_profile");
}

#[test]
fn a_file_without_an_identity_says_so() {
    for text in [
        "",
        "[default]\nregion = x\n",
        "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\n",
        "[default\n",
        "\0\0\0",
    ] {
        assert_eq!(
            profiles_or_cache(text.as_bytes()),
            Err("no access key id"),
            "{text:?}"
        );
    }
    assert_eq!(profiles_or_cache(b"[default]\n\xff"), Err("not UTF-8"));
}

#[test]
fn the_secret_in_the_place_of_the_id_is_not_taken() {
    let text = "[default]\naws_access_key_id = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";
    assert_eq!(profiles_or_cache(text.as_bytes()), Err("no access key id"));
}
