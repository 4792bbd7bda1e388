//! The command line of each program of the control plane.

use std::path::Path;

use crate::credentials::{Credentials, User};
use crate::options::Options;

pub(crate) fn etcd(room: &Path, port: u16) -> Vec<String> {
    let client = format!("http://127.0.0.1:{port}");
    vec![
        flag("data-dir", room.join("etcd").display()),
        flag("listen-client-urls", &client),
        flag("advertise-client-urls", &client),
        // A single member has no peers, but etcd insists on a port for them.
        flag("listen-peer-urls", "http://127.0.0.1:0"),
        // Nothing on this disk has to survive the machine.
        "--unsafe-no-fsync".to_owned(),
        flag("log-level", "warn"),
    ]
}

pub(crate) fn kube_apiserver(
    room: &Path,
    credentials: &Credentials,
    options: &Options,
    port: u16,
    etcd: u16,
) -> Vec<String> {
    let file = |name: &str| credentials.path(name).display().to_string();
    let mut flags = vec![
        flag("etcd-servers", format!("http://127.0.0.1:{etcd}")),
        flag("bind-address", "127.0.0.1"),
        flag("advertise-address", "127.0.0.1"),
        // It would refuse to publish a loopback address, again and again.
        flag("endpoint-reconciler-type", "none"),
        flag("secure-port", port),
        flag("cert-dir", room.display()),
        flag("tls-cert-file", file("apiserver.crt")),
        flag("tls-private-key-file", file("apiserver.key")),
        flag("token-auth-file", file("tokens.csv")),
        flag("authorization-mode", "RBAC"),
        flag("service-account-issuer", "https://kubernetes.default.svc"),
        flag("service-account-key-file", file("service-account.pub")),
        flag("service-account-signing-key-file", file("service-account.key")),
        flag("service-cluster-ip-range", "10.96.0.0/16"),
        flag("profiling", false),
    ];
    if options.audit_log {
        flags.push(flag("audit-policy-file", room.join(AUDIT_POLICY).display()));
        flags.push(flag("audit-log-path", room.join(AUDIT_LOG).display()));
    }
    if !options.mutating_admission_policy {
        flags.push(flag("emulated-version", "1.35"));
    }
    flags
}

pub(crate) fn kube_controller_manager(credentials: &Credentials, options: &Options) -> Vec<String> {
    let seconds = |duration: std::time::Duration| format!("{}ms", duration.as_millis());
    vec![
        flag("kubeconfig", credentials.kubeconfig_of(User::ControllerManager).display()),
        flag("leader-elect", false),
        flag("secure-port", 0),
        flag("controllers", CONTROLLERS.join(",")),
        // The HPA is then a user of its own, as on a real cluster: admission rules tell it from others.
        "--use-service-account-credentials".to_owned(),
        flag("service-account-private-key-file", credentials.path("service-account.key").display()),
        flag("root-ca-file", credentials.path("ca.crt").display()),
        flag("kube-api-qps", 500),
        flag("kube-api-burst", 1000),
        flag("horizontal-pod-autoscaler-sync-period", seconds(options.hpa.sync_period)),
        flag("horizontal-pod-autoscaler-downscale-stabilization", seconds(options.hpa.downscale_stabilization)),
        flag("horizontal-pod-autoscaler-initial-readiness-delay", seconds(options.hpa.initial_readiness_delay)),
        flag("horizontal-pod-autoscaler-cpu-initialization-period", seconds(options.hpa.cpu_initialization_period)),
    ]
}

pub(crate) fn kube_scheduler(credentials: &Credentials) -> Vec<String> {
    vec![
        flag("kubeconfig", credentials.kubeconfig_of(User::Scheduler).display()),
        flag("leader-elect", false),
        flag("secure-port", 0),
        flag("kube-api-qps", 500),
        flag("kube-api-burst", 1000),
    ]
}

pub(crate) fn kwok(credentials: &Credentials, stages: &Path) -> Vec<String> {
    vec![
        flag("kubeconfig", credentials.kubeconfig_of(User::Admin).display()),
        flag("config", stages.display()),
        "--manage-all-nodes".to_owned(),
        flag("node-lease-duration-seconds", 40),
    ]
}

fn flag(name: &str, value: impl std::fmt::Display) -> String {
    format!("--{name}={value}")
}

pub(crate) const AUDIT_LOG: &str = "audit.log";
pub(crate) const AUDIT_POLICY: &str = "audit-policy.json";

/// Who did what to what, and what admission policies noted; no bodies.
pub(crate) const AUDIT_RULES: &str = r#"{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": [{"level": "Metadata"}]}"#;

/// What the rig's workloads need and no more. Without node-lifecycle a node keeps its not-ready taint for ever.
const CONTROLLERS: [&str; 13] = [
    "clusterrole-aggregation-controller",
    "deployment-controller",
    "disruption-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "horizontal-pod-autoscaler-controller",
    "namespace-controller",
    "node-lifecycle-controller",
    "replicaset-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "statefulset-controller",
    // Says in the status of a ValidatingAdmissionPolicy what of its expressions does not fit its kinds.
    "validatingadmissionpolicy-status-controller",
];
