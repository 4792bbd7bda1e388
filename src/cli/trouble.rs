//! Why a command could not read or write, in one sentence that says what to do.

use core::error::Error as _;

use kube::core::Status;

/// Why the cluster did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    #[error("the cluster at {server} does not answer ({why}): is it up, and is this machine on its network?")]
    NoAnswer { server: String, why: String },
    #[error("the cluster does not know who you are: log in again, or pass another --context")]
    Unauthorized,
    #[error("you may not {0}: ask for a role that can (floorkeeper-view reads, floorkeeper-override orders)")]
    Forbidden(String),
    #[error(
        "this cluster has no {0}: install floorkeeper's kinds with `floorkeeper crds | kubectl apply --server-side -f -`"
    )]
    NoSuchKind(String),
    #[error("there is no such object")]
    NotFound,
    #[error("it has changed meanwhile: {0}")]
    Conflict(String),
    #[error("the cluster refused it: {0}")]
    Refused(String),
    #[error(
        "the answer to \"{0}\" is too large, or is not what a Kubernetes API server says: is this the right cluster?"
    )]
    Unreadable(String),
    #[error("{0}")]
    Other(String),
}

impl Trouble {
    /// No answer at all.
    pub(super) fn unanswered(server: &str, error: &kube::Error) -> Self {
        // The innermost cause says it shortest: "Connection refused".
        let mut why = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            why = error.to_string();
            cause = error.source();
        }
        Self::NoAnswer { server: server.to_owned(), why }
    }

    /// An answer that is no success. `what`: "list scalingpolicies in namespace shop".
    pub(super) fn refused(code: u16, status: Option<Status>, what: &str) -> Self {
        let object = status.as_ref().and_then(|status| status.details.as_ref()).is_some_and(|it| !it.name.is_empty());
        let message = status.map_or_else(|| format!("HTTP status {code}"), |status| status.message);
        match code {
            401 => Self::Unauthorized,
            403 => Self::Forbidden(what.to_owned()),
            404 if object => Self::NotFound,
            404 => Self::NoSuchKind(what.split(' ').nth(1).unwrap_or(what).to_owned()),
            409 => Self::Conflict(message),
            _ => Self::Refused(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_answer_says_what_to_do() {
        let named = json!({"kind": "Status", "status": "Failure", "message": "web not found", "reason": "NotFound",
            "details": {"name": "web", "kind": "scalingpolicies"}, "code": 404});
        let named: Status = serde_json::from_value(named).unwrap();
        let what = "list scalingpolicies in namespace shop";
        let said = [
            (401, None, "the cluster does not know who you are: log in again, or pass another --context"),
            (
                403,
                None,
                "you may not list scalingpolicies in namespace shop: ask for a role that can (floorkeeper-view reads, \
                 floorkeeper-override orders)",
            ),
            (404, Some(named.clone()), "there is no such object"),
            (
                404,
                None,
                "this cluster has no scalingpolicies: install floorkeeper's kinds with `floorkeeper crds | kubectl apply \
                 --server-side -f -`",
            ),
            (409, Some(named), "it has changed meanwhile: web not found"),
            (500, None, "the cluster refused it: HTTP status 500"),
        ];
        for (code, status, text) in said {
            assert_eq!(Trouble::refused(code, status, what).to_string(), text);
        }
    }
}
