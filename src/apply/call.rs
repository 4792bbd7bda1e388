//! One call to the API server: bounded in time, its failure sorted by what it means for us.

use std::future::Future;
use std::time::Duration;

use floorkeeper_core::Outcome;
use kube::core::Status;
use thiserror::Error;
use tokio::time::timeout;

use crate::metrics::WriteOutcome;

/// Why a call did not do what it should.
#[derive(Debug, Error)]
pub(super) enum Trouble {
    /// The store holds something newer than we know, or a fencing rule refused a stale writer.
    #[error("conflict: {0}")]
    Conflict(String),
    #[error("not found: {0}")]
    NotFound(String),
    #[error("forbidden: {0}")]
    Forbidden(String),
    /// The API server does not accept the value.
    #[error("refused as invalid: {}", .0.message)]
    Invalid(Box<Status>),
    #[error("the API server is busy: {0}")]
    Throttled(String),
    #[error("no answer within {} s", LIMIT.as_secs())]
    TimedOut,
    #[error("{0}")]
    Other(String),
}

impl Trouble {
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Conflict(_) => Outcome::Conflict,
            Self::NotFound(_)
            | Self::Forbidden(_)
            | Self::Invalid(_)
            | Self::Throttled(_)
            | Self::TimedOut
            | Self::Other(_) => Outcome::Failed,
        }
    }

    pub(super) fn counted(&self) -> WriteOutcome {
        match self {
            Self::Conflict(_) => WriteOutcome::Conflict,
            Self::NotFound(_) => WriteOutcome::NotFound,
            Self::Forbidden(_) => WriteOutcome::Forbidden,
            Self::Invalid(_) => WriteOutcome::Invalid,
            Self::Throttled(_) => WriteOutcome::Throttled,
            Self::TimedOut => WriteOutcome::TimedOut,
            Self::Other(_) => WriteOutcome::Failed,
        }
    }

    /// True if the value itself was refused, and `says` stands in one of the reasons given for `field`.
    pub(super) fn refuses(&self, field: &str, says: &str) -> bool {
        let Self::Invalid(status) = self else { return false };
        let causes = status.details.iter().flat_map(|details| &details.causes);
        causes.into_iter().any(|cause| cause.field == field && cause.message.contains(says))
    }
}

impl From<kube::Error> for Trouble {
    fn from(error: kube::Error) -> Self {
        let status = match error {
            kube::Error::Api(status) => status,
            other => return Self::Other(other.to_string()),
        };
        // The API server still enforces the floor of a moment ago: its cache of the table is milliseconds behind.
        let behind = status.is_forbidden() && status.message.contains(FLOOR_POLICY);
        if status.is_conflict() || status.is_already_exists() || behind {
            Self::Conflict(status.message)
        } else if status.is_not_found() {
            Self::NotFound(status.message)
        } else if status.is_forbidden() || status.code == 401 {
            Self::Forbidden(status.message)
        } else if status.is_invalid() {
            Self::Invalid(status)
        } else if matches!(status.code, 429 | 503) {
            Self::Throttled(status.message)
        } else {
            Self::Other(format!("HTTP status {}: {}", status.code, status.message))
        }
    }
}

/// The admission policy that keeps the floor said no.
pub(super) fn refused_by_our_floor(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Conflict(message) if message.contains(FLOOR_POLICY))
}

/// Runs one call under [`LIMIT`].
pub(super) async fn call<T>(future: impl Future<Output = kube::Result<T>>) -> Result<T, Trouble> {
    match timeout(LIMIT, future).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Trouble::TimedOut),
    }
}

/// A healthy API server answers in milliseconds; one that needs longer than this is better asked again, because the
/// decision behind the write grows old meanwhile.
const LIMIT: Duration = Duration::from_secs(5);

/// Its name in deploy/admission/floor.yaml, in quotes as the API server puts them.
const FLOOR_POLICY: &str = "'floorkeeper-floor'";
