//! Whether floorkeeper lives, from what it leaves in the API server: its Lease, or else its Deployment.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::ago;
use super::reach::Cluster;
use super::trouble::Trouble;

/// What is known of floorkeeper's life.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Heart {
    /// Somebody holds the lease.
    Beats {
        by: String,
        renewed: Time,
    },
    /// Nobody has renewed the lease in time.
    Still {
        by: String,
        renewed: Option<Time>,
    },
    /// There is no lease; so many pods of the Deployment are ready.
    Pods {
        ready: i32,
        of: i32,
    },
    /// Neither Lease nor Deployment.
    Absent {
        home: String,
    },
    Hidden(Trouble),
}

impl Heart {
    pub(super) async fn listen(cluster: &Cluster) -> Self {
        let home = cluster.home.as_str();
        let lease = cluster.find::<Lease>(NAME, Some(home)).await;
        let deployment = cluster.find::<Deployment>(NAME, Some(home)).await;
        match (lease, deployment) {
            (Err(trouble), Err(_)) => Self::Hidden(trouble),
            (Err(trouble), Ok(None)) => Self::Hidden(trouble),
            (lease, deployment) => {
                Self::judge(lease.ok().flatten().as_ref(), deployment.ok().flatten().as_ref(), home, cluster.now())
            }
        }
    }

    pub(super) fn judge(lease: Option<&Lease>, deployment: Option<&Deployment>, home: &str, now: Timestamp) -> Self {
        if let Some(lease) = lease.and_then(|lease| lease.spec.as_ref()) {
            let by = lease.holder_identity.clone().unwrap_or_default();
            let renewed = lease.renew_time.as_ref().map(|at| Time(at.0));
            let lasts = i64::from(lease.lease_duration_seconds.unwrap_or(0)).max(1);
            return match renewed {
                Some(renewed) if !by.is_empty() && now.as_second() - renewed.0.as_second() <= lasts => {
                    Self::Beats { by, renewed }
                }
                renewed => Self::Still { by, renewed },
            };
        }
        match deployment {
            Some(deployment) => {
                let ready = deployment.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or(0);
                Self::Pods { ready, of: deployment.spec.replicas.unwrap_or(1) }
            }
            None => Self::Absent { home: home.to_owned() },
        }
    }

    /// `None` where nobody can tell.
    pub(super) fn alive(&self) -> Option<bool> {
        match self {
            Self::Beats { .. } => Some(true),
            Self::Still { .. } => Some(false),
            Self::Pods { ready, .. } => Some(*ready > 0),
            Self::Absent { .. } | Self::Hidden(_) => None,
        }
    }

    /// One sentence, without what follows from it.
    pub(super) fn sentence(&self, now: Timestamp) -> String {
        match self {
            Self::Beats { by, renewed } => {
                format!("floorkeeper is alive ({by} renewed its lease {} ago)", ago::since(renewed, now))
            }
            Self::Still { by, renewed: Some(renewed) } if !by.is_empty() => format!(
                "floorkeeper is DEAD: its lease was not renewed for {} (the last to hold it: {by})",
                ago::since(renewed, now)
            ),
            Self::Still { renewed: Some(renewed), .. } => format!(
                "floorkeeper is DEAD: it gave its lease back {} ago and nobody has taken it",
                ago::since(renewed, now)
            ),
            Self::Still { renewed: None, .. } => "floorkeeper is DEAD: nobody has ever held its lease".to_owned(),
            Self::Pods { ready: 0, of } => {
                format!("floorkeeper is DEAD: none of the {of} pods of its Deployment is ready")
            }
            Self::Pods { ready, of } => format!("floorkeeper is alive ({ready} of {of} pods ready)"),
            Self::Absent { home } => format!(
                "whether floorkeeper is alive can't be told: namespace {home} has neither its Lease nor its Deployment (if it \
                 lives in another one, pass --home)"
            ),
            Self::Hidden(trouble) => format!("whether floorkeeper is alive can't be told: {trouble}"),
        }
    }
}

/// The name of floorkeeper's Lease, Deployment and ServiceAccount.
pub(super) const NAME: &str = "floorkeeper";

/// What holds without floorkeeper, and what does not.
pub(super) const DEAD: &str = "Floors stand where they are: in the minReplicas of the HPAs, which go on scaling above them. Nobody \
raises a floor, lowers one, or undoes a write below it; what you read here is what floorkeeper knew last";

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn judged(lease: Option<Value>, deployment: Option<Value>) -> String {
        let now: Timestamp = "2024-03-05T02:00:00Z".parse().unwrap();
        let lease: Option<Lease> = lease.map(|spec| serde_json::from_value(json!({"spec": spec})).unwrap());
        let deployment = deployment.map(|status| {
            let spec = json!({"replicas": 2, "selector": {}, "template": {}});
            serde_json::from_value(json!({"spec": spec, "status": status})).unwrap()
        });
        Heart::judge(lease.as_ref(), deployment.as_ref(), "floorkeeper-system", now).sentence(now)
    }

    #[test]
    fn the_lease_first_then_the_deployment() {
        let lease =
            |by: &str, at: &str| Some(json!({"holderIdentity": by, "renewTime": at, "leaseDurationSeconds": 15}));
        let said = [
            (lease("fk-1", "2024-03-05T01:59:57.000000Z"), "floorkeeper is alive (fk-1 renewed its lease 3s ago)"),
            (
                lease("fk-1", "2024-03-05T01:46:00.000000Z"),
                "floorkeeper is DEAD: its lease was not renewed for 14m (the last to hold it: fk-1)",
            ),
            (
                lease("", "2024-03-05T01:59:57.000000Z"),
                "floorkeeper is DEAD: it gave its lease back 3s ago and nobody has taken it",
            ),
            (Some(json!({})), "floorkeeper is DEAD: nobody has ever held its lease"),
        ];
        for (lease, text) in said {
            assert_eq!(judged(lease, Some(json!({"readyReplicas": 2}))), text);
        }
        assert_eq!(judged(None, Some(json!({"readyReplicas": 2}))), "floorkeeper is alive (2 of 2 pods ready)");
        let none = "floorkeeper is DEAD: none of the 2 pods of its Deployment is ready";
        assert_eq!(judged(None, Some(json!({}))), none);
        assert!(judged(None, None).contains("neither its Lease nor its Deployment"));
    }
}
