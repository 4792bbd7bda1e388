//! Roles against what was really done: the rules that an account holds, and the API server's audit log of it.

use std::collections::BTreeSet;
use std::fmt;

use k8s_openapi::api::rbac::v1::PolicyRule;
use serde::Deserialize;

/// One thing that an account may do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Grant {
    /// `None`: in every namespace.
    pub(crate) namespace: Option<String>,
    pub(crate) verb: String,
    pub(crate) group: String,
    /// With its subresource: `deployments/scale`. `*` is all of the group's.
    pub(crate) resource: String,
}

/// `patch deployments/scale apps`.
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.verb, self.resource, self.group)
    }
}

/// One line of an audit log in the format of `audit.k8s.io/v1`, as far as it is of use here.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    verb: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    user: User,
    object_ref: Option<Object>,
    response_status: Option<Response>,
}

#[derive(Clone, Debug, Deserialize)]
struct User {
    username: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    #[serde(default)]
    resource: String,
    #[serde(default)]
    api_group: String,
    #[serde(default)]
    subresource: String,
    namespace: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Response {
    code: Option<u16>,
}

/// The entries of one user. A last line that is still being written is left out.
pub(crate) fn entries(log: &str, user: &str) -> Vec<Entry> {
    log.lines()
        .filter_map(|line| serde_json::from_str::<Entry>(line).ok())
        .filter(|entry| entry.user.username == user)
        .collect()
}

/// What a role's rules grant. `namespace`: of a Role; `None` for a ClusterRole that is bound cluster-wide.
pub(crate) fn grants(rules: &[PolicyRule], namespace: Option<&str>) -> Vec<Grant> {
    let mut grants = Vec::new();
    for rule in rules {
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                for verb in &rule.verbs {
                    grants.push(Grant {
                        namespace: namespace.map(str::to_owned),
                        verb: verb.clone(),
                        group: group.clone(),
                        resource: resource.clone(),
                    });
                }
            }
        }
    }
    grants
}

/// Requests that the API server forbade, each once: a role lacks something.
pub(crate) fn forbidden(entries: &[Entry]) -> BTreeSet<String> {
    entries
        .iter()
        .filter(|entry| entry.response_status.as_ref().and_then(|response| response.code) == Some(403))
        .map(|entry| format!("{} {}", entry.verb, entry.request_uri))
        .collect()
}

/// Grants that no request has used: a role holds too much.
pub(crate) fn unused(grants: &[Grant], entries: &[Entry]) -> BTreeSet<Grant> {
    grants.iter().filter(|grant| !entries.iter().any(|entry| uses(entry, grant))).cloned().collect()
}

fn uses(entry: &Entry, grant: &Grant) -> bool {
    let Some(object) = &entry.object_ref else { return false };
    let resource = match object.subresource.as_str() {
        "" => object.resource.clone(),
        subresource => format!("{}/{subresource}", object.resource),
    };
    entry.verb == grant.verb
        && object.api_group == grant.group
        && (grant.resource == "*" || grant.resource == resource)
        && (grant.namespace.is_none() || grant.namespace == object.namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = r#"
{"verb":"watch","requestURI":"/apis/apps/v1/deployments?watch=1","user":{"username":"keeper"},"objectRef":{"resource":"deployments","apiGroup":"apps","apiVersion":"v1"},"responseStatus":{"code":200}}
{"verb":"update","requestURI":"/apis/apps/v1/namespaces/a/deployments/web/scale","user":{"username":"keeper"},"objectRef":{"resource":"deployments","apiGroup":"apps","subresource":"scale","namespace":"a"},"responseStatus":{"code":409}}
{"verb":"list","requestURI":"/apis/external.metrics.k8s.io/v1beta1/namespaces/a/queue","user":{"username":"keeper"},"objectRef":{"resource":"queue","apiGroup":"external.metrics.k8s.io","namespace":"a"},"responseStatus":{"code":200}}
{"verb":"list","requestURI":"/api/v1/secrets","user":{"username":"keeper"},"objectRef":{"resource":"secrets"},"responseStatus":{"code":403}}
{"verb":"delete","requestURI":"/apis/apps/v1/namespaces/a/deployments/web","user":{"username":"admin"},"objectRef":{"resource":"deployments","apiGroup":"apps","namespace":"a"},"responseStatus":{"code":200}}
{"verb":"get","requestURI":"/readyz","user":{"username":"keeper"},"responseStatus":{"code":200}}
{"verb":"wat"#;

    fn rule(group: &str, resource: &str, verbs: &[&str]) -> PolicyRule {
        PolicyRule {
            api_groups: Some(vec![group.to_owned()]),
            resources: Some(vec![resource.to_owned()]),
            verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
            ..PolicyRule::default()
        }
    }

    fn left(rules: &[PolicyRule], namespace: Option<&str>) -> Vec<String> {
        let entries = entries(LOG, "keeper");
        unused(&grants(rules, namespace), &entries).iter().map(Grant::to_string).collect()
    }

    #[test]
    fn only_the_users_own_whole_lines_count() {
        assert_eq!(entries(LOG, "keeper").len(), 5);
        assert!(entries(LOG, "nobody").is_empty());
    }

    #[test]
    fn what_was_used_is_not_reported() {
        assert!(left(&[rule("apps", "deployments", &["watch"])], None).is_empty());
        assert!(left(&[rule("apps", "deployments/scale", &["update"])], None).is_empty());
        assert!(left(&[rule("external.metrics.k8s.io", "*", &["list"])], None).is_empty(), "by its wildcard");
    }

    #[test]
    fn what_was_not_used_is_reported() {
        assert_eq!(left(&[rule("apps", "deployments", &["watch", "delete"])], None), ["delete deployments apps"]);
        assert_eq!(left(&[rule("apps", "deployments/scale", &["patch"])], None), ["patch deployments/scale apps"]);
        assert_eq!(
            left(&[rule("apps", "deployments", &["update"])], None),
            ["update deployments apps"],
            "not by /scale"
        );
        assert_eq!(left(&[rule("custom.metrics.k8s.io", "*", &["list"])], None), ["list * custom.metrics.k8s.io"]);
        assert_eq!(left(&[rule("", "secrets", &["list"])], Some("own")), ["list secrets "], "used elsewhere only");
    }

    #[test]
    fn a_forbidden_request_is_reported() {
        assert_eq!(forbidden(&entries(LOG, "keeper")), BTreeSet::from(["list /api/v1/secrets".to_owned()]));
        assert!(forbidden(&entries(LOG, "admin")).is_empty());
    }
}
