//! Simulated nodes.

use anyhow::Result;
use k8s_openapi::api::core::v1::Node;
use serde_json::json;

/// A node that kwok takes care of, with room for any number of pods.
pub(crate) fn node(index: u32) -> Result<Node> {
    let name = format!("node-{index}");
    Ok(serde_json::from_value(json!({
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "type": "kwok"},
            "annotations": {"kwok.x-k8s.io/node": "fake"},
        },
        "status": {
            "capacity": {"cpu": "1k", "memory": "1Ti", "pods": "100k"},
            "allocatable": {"cpu": "1k", "memory": "1Ti", "pods": "100k"},
            "nodeInfo": {
                "architecture": "amd64", "bootID": "", "containerRuntimeVersion": "kwok", "kernelVersion": "kwok", "kubeProxyVersion": "",
                "kubeletVersion": "kwok", "machineID": "", "operatingSystem": "linux", "osImage": "kwok", "systemUUID": "",
            },
        },
    }))?)
}

/// Ready, and, where the node controller runs, rid of the taint that a new node has.
pub(crate) fn takes_pods(node: &Node, controllers: bool) -> bool {
    let mut conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let ready = conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let tainted = node.spec.as_ref().is_some_and(|spec| spec.taints.as_ref().is_some_and(|taints| !taints.is_empty()));
    ready && !(controllers && tainted)
}
