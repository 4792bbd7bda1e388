//! Tells the API server where the metrics APIs are.

use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::json;

use super::MetricsApi;
use crate::wait::eventually;

/// Registers all three and waits until they are available. A server before this one is replaced.
pub(super) async fn register(client: kube::Client, port: u16) -> Result<()> {
    let params = PatchParams::apply("floorkeeper-rig").force();
    // A name outside the cluster: the API server then dials it without asking for endpoints.
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": SERVICE, "namespace": NAMESPACE},
        "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]},
    });
    Api::<Service>::namespaced(client.clone(), NAMESPACE).patch(SERVICE, &params, &Patch::Apply(service)).await?;
    let registrations = Api::<APIService>::all(client);
    for api in MetricsApi::ALL {
        let name = format!("{}.{}", api.version(), api.group());
        let registration = json!({
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": name},
            "spec": {
                "group": api.group(),
                "version": api.version(),
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "insecureSkipTLSVerify": true,
                "service": {"name": SERVICE, "namespace": NAMESPACE, "port": port},
            },
        });
        registrations.patch(&name, &params, &Patch::Apply(registration)).await?;
    }
    for api in MetricsApi::ALL {
        let name = format!("{}.{}", api.version(), api.group());
        eventually(&format!("{name} is available"), BOUND, || async {
            let conditions =
                registrations.get(&name).await?.status.and_then(|status| status.conditions).unwrap_or_default();
            let available = conditions.iter().find(|condition| condition.type_ == "Available");
            ensure!(
                available.is_some_and(|condition| condition.status == "True"),
                "{}",
                available.and_then(|condition| condition.message.as_deref()).unwrap_or("no condition yet")
            );
            Ok(())
        })
        .await?;
    }
    Ok(())
}

pub(super) async fn unregister(client: kube::Client) -> Result<()> {
    let registrations = Api::<APIService>::all(client.clone());
    for api in MetricsApi::ALL {
        registrations.delete(&format!("{}.{}", api.version(), api.group()), &DeleteParams::default()).await?;
    }
    Api::<Service>::namespaced(client, NAMESPACE).delete(SERVICE, &DeleteParams::default()).await?;
    Ok(())
}

const NAMESPACE: &str = "kube-system";
const SERVICE: &str = "rig-metrics";
/// The API server probes a new APIService at once; a retry comes within seconds.
const BOUND: Duration = Duration::from_secs(60);
