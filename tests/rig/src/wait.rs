//! Waiting for a condition with a bound: the only way that tests on the rig wait for anything.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::Instant;

/// Calls `attempt` until it gives `Ok`, at most for `bound`; then fails with `what` and what the last attempt said.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use std::time::Duration;
/// let mut left = 3;
/// let done = floorkeeper_rig::eventually("the countdown ends", Duration::from_secs(5), || {
///     left -= 1;
///     let left = left;
///     async move { if left == 0 { Ok(()) } else { Err(format!("{left} left")) } }
/// })
/// .await;
/// assert!(done.is_ok());
/// # });
/// ```
pub async fn eventually<T, E, F>(what: &str, bound: Duration, mut attempt: impl FnMut() -> F) -> Result<T>
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    let end = Instant::now() + bound;
    let mut last = None;
    loop {
        // An attempt that hangs may not outlive the bound either.
        match tokio::time::timeout_at(end, attempt()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => last = Some(format!("{error:#}")),
            Err(_) => last = last.or_else(|| Some("no answer at all".to_owned())),
        }
        if Instant::now() + PAUSE >= end {
            bail!("waited {bound:?} in vain: {what}. Last: {}", last.unwrap_or_default());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Short against anything that a control plane does, long against the cost of one request.
const PAUSE: Duration = Duration::from_millis(50);
