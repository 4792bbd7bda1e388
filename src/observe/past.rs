//! A long stretch of one query's past, for the command line: the same client, one request at a time.
//!
//! The caller asks for piece after piece and keeps what came; here a piece whose answer is too large or takes too long
//! is halved.

use core::time::Duration;

use floorkeeper_core::{Failure, Timestamp};

use super::config::Prometheus;
use super::credentials::Secrets;
use super::prometheus::Client;
use super::reply;

/// A server that is asked about its past.
#[derive(Debug)]
pub struct Past {
    client: Client,
}

/// A moment of the past, in seconds since 1970, and its number.
pub type Moment = (f64, f64);

/// Why there is no past.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PastError {
    #[error("{0}")]
    Server(String),
    #[error("{}", said(.0))]
    Failed(Failure),
    #[error("the query answers with {0} series where one is expected: aggregate it, for example with sum(...)")]
    Several(usize),
    #[error("the source itself calls its answer incomplete (a warning, or a partial flag)")]
    Partial,
}

impl Past {
    /// `credentials`: what `server` names as (Secret, key), read by the caller.
    ///
    /// # Errors
    /// What of the server's description can't be used.
    pub fn open(
        server: &Prometheus,
        credentials: &[(&str, &str, &[u8])],
        timeout: Duration,
    ) -> Result<Self, PastError> {
        let client = Client::new(server, &Secrets::of(credentials), timeout, BODY_LIMIT);
        Ok(Self { client: client.map_err(|unusable| PastError::Server(unusable.to_string()))? })
    }

    /// What `query` was at each step from `from` to `to` (seconds since 1970, both included), oldest first.
    ///
    /// # Errors
    /// The first piece that can't be had.
    pub async fn range(&self, query: &str, from: u64, to: u64, step: u64) -> Result<Vec<Moment>, PastError> {
        let step = step.max(1);
        let (mut start, mut points, mut past) = (from, MOST_POINTS, Vec::new());
        while start <= to {
            let end = start.saturating_add((points - 1).saturating_mul(step)).min(to);
            let (first, last) = (seconds(start), seconds(end));
            let body = self.client.range(query, first, last, Duration::from_secs(step)).await;
            match body.as_ref().map_err(|failure| *failure).and_then(|body| reply::parse(body)) {
                Ok(reply) if reply.partial => return Err(PastError::Partial),
                Ok(reply) => match reply.series.as_slice() {
                    [] => start = end.saturating_add(step),
                    [one] => {
                        let moment = |point: &reply::Point| (point.at.0 as f64 / 1_000.0, point.value);
                        past.extend(
                            one.points.iter().map(moment).filter(|(_, value)| value.is_finite() && *value >= 0.0),
                        );
                        start = end.saturating_add(step);
                    }
                    several => return Err(PastError::Several(several.len())),
                },
                Err(Failure::TooLarge | Failure::Timeout) if points > 1 => {
                    points = points.min((to - start) / step + 1).div_ceil(2);
                }
                Err(failure) => return Err(PastError::Failed(failure)),
            }
        }
        Ok(past)
    }
}

impl PastError {
    /// Whether the same question may get an answer a moment later.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Failed(Failure::Unreachable | Failure::Timeout | Failure::Status(429 | 500..=599))
            | Self::Partial => true,
            Self::Failed(
                Failure::Status(_) | Failure::TooLarge | Failure::Garbage | Failure::Refused | Failure::NotAllowed,
            )
            | Self::Server(_)
            | Self::Several(_) => false,
        }
    }
}

fn seconds(at: u64) -> Timestamp {
    Timestamp(at.saturating_mul(1_000))
}

fn said(failure: &Failure) -> String {
    match failure {
        Failure::Unreachable => {
            "the server can't be reached: is the URL right, and can this machine reach it?".to_owned()
        }
        Failure::Timeout => "the server took too long, even for a single sample: raise --timeout".to_owned(),
        Failure::Status(code @ (401 | 403)) => {
            format!(
                "the server answered with HTTP status {code}: it wants other credentials (--bearer-token-file, --username)"
            )
        }
        Failure::Status(404) => {
            "the server answered with HTTP status 404: write its URL without /api/v1, with the path prefix that it has"
                .to_owned()
        }
        Failure::Status(code) => format!("the server answered with HTTP status {code}"),
        Failure::TooLarge => {
            "a single sample's answer passed the size limit: the query answers with far too many series".to_owned()
        }
        Failure::Garbage => "the answer is not that of a Prometheus API".to_owned(),
        Failure::Refused => "the server refused the query: try it there, it says why".to_owned(),
        Failure::NotAllowed => "the query is not allowed".to_owned(),
    }
}

/// Points that one request asks for; Prometheus refuses more than 11,000.
const MOST_POINTS: u64 = 5_000;

/// One series of that many points is under a megabyte; ten times that is a mistake.
const BODY_LIMIT: usize = 16 << 20;
