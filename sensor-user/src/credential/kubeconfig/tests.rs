use super::users;

const DECOY: &str = r#"
apiVersion: v1
kind: Config
current-context: prod
preferences: {}
clusters:
- name: prod-cluster
  cluster:
    server: https://user:SECRET@k8s.example.com:6443/base
    certificate-authority-data: QUFB
- name: dev-cluster
  cluster: {server: "https://10.0.0.1"}
contexts:
- name: prod
  context: {cluster: prod-cluster, user: admin, namespace: payments}
- name: dev
  context:
    cluster: dev-cluster
    user: dev
- name: broken
users:
- name: admin
  user:
    client-certificate-data: SECRET
    client-key-data: SECRET
    token: SECRET
- name: dev
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: aws
      args: [eks, get-token, SECRET]
      env: [{name: X, value: SECRET}]
"#;

#[test]
fn every_context_is_an_identity() {
    let found = users(DECOY.as_bytes()).expect("identities");
    let seen: Vec<_> = found.iter().map(|i| (i.kind.as_str(), i.id.as_str())).collect();
    assert_eq!(
        seen,
        [
            ("kubeconfig_user", "admin@prod-cluster"),
            ("kubeconfig_user", "dev@dev-cluster")
        ]
    );
    let attribute = |at: usize, name: &str| found[at].attributes.get(name).map(String::as_str);
    assert_eq!(attribute(0, "server"), Some("k8s.example.com:6443"));
    assert_eq!(attribute(0, "authentication"), Some("token client_certificate"));
    assert_eq!(attribute(0, "current"), Some("true"));
    assert_eq!(attribute(0, "namespace"), Some("payments"));
    assert_eq!(attribute(1, "authentication"), Some("exec"));
    assert_eq!(attribute(1, "exec_command"), Some("aws"));
    assert_eq!(attribute(1, "current"), None);
    assert!(!format!("{found:?}").contains("SECRET"));
}

#[test]
fn what_is_no_kubeconfig_says_so() {
    for (text, expected) in [
        ("", "no context with a user and a cluster"),
        ("{}", "no context with a user and a cluster"),
        ("contexts: null", "no context with a user and a cluster"),
        ("just text", "not a kubeconfig"),
        ("contexts: [1]", "not a kubeconfig"),
        ("a: b: c", "not a kubeconfig"),
        ("a: &x [1]\nb: *x", "has YAML anchors"),
        ("&x a: 1", "has YAML anchors"),
        ("[&x a]", "has YAML anchors"),
        ("\0\0", "not a kubeconfig"),
    ] {
        assert_eq!(users(text.as_bytes()), Err(expected), "{text:?}");
    }
    assert_eq!(users(b"\xff"), Err("not UTF-8"));
}

#[test]
fn deep_nesting_ends() {
    for piece in ["[", "{a: ", "a: [", "- ", "? ", "- ? : ", "? - ", ": "] {
        let text = piece.repeat(1024 * 1024 / piece.len());
        assert_eq!(
            users(text.as_bytes()),
            Err("nested deeper than a kubeconfig is"),
            "{piece:?}"
        );
        // As deep as is let through.
        let text = piece.repeat(4096.min(1024 * 1024 / piece.len()));
        assert!(users(text.as_bytes()).is_err(), "{piece:?}");
    }
    let stairs: String = (0..1400)
        .map(|depth| format!("{}a:\n", " ".repeat(depth)))
        .collect();
    assert!(users(stairs.as_bytes()).is_err());
}
