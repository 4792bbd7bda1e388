//! A stretch of the past, asked for piece by piece: one request after the other, halved where an answer is too large.

use core::time::Duration;

use floorkeeper_core::{Answer, Failure, Sample, Timestamp};

use super::evidence::Composed;
use super::fullness::Fullness;
use super::plan::Reader;
use super::prometheus::Client;
use super::reply;

/// From when to when, and how finely.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) step: Duration,
    /// Points of each series that one request asks for at most.
    pub(super) points: u64,
    /// The source is left alone for so long between two requests.
    pub(super) rest: Duration,
}

/// What is known of one reader's past: its samples, oldest first, and how full its answers were in the end.
pub(super) type Told = (Vec<Sample>, Fullness);

/// The past of each reader.
pub(super) async fn fetch(
    mut question: Composed,
    readers: &[Reader],
    client: &Client,
    stretch: &Stretch,
) -> Result<Vec<Told>, Failure> {
    let mut told: Vec<Told> = vec![Told::default(); readers.len()];
    let step_ms = u64::try_from(stretch.step.as_millis()).unwrap_or(u64::MAX).max(1);
    let (mut start, now) = (stretch.from, stretch.to);
    let mut points = stretch.points.clamp(1, MOST_POINTS);
    let mut timeouts = 0;
    while start <= now {
        let end = Timestamp(start.0.saturating_add((points - 1).saturating_mul(step_ms)).min(now.0));
        let body = client.range(&question.text, start, end, stretch.step).await;
        let reply = match &body {
            Ok(body) => reply::parse(body),
            Err(failure) => Err(*failure),
        };
        match reply {
            Ok(reply) => {
                let rows = question.past(&reply);
                for (reader, (samples, fullness)) in readers.iter().zip(&mut told) {
                    let Some(past) = rows.get(&reader.key()) else { continue };
                    let sample = |row| match question.answer(Some(row), reply.partial, reader.vouched(), fullness) {
                        Answer::Value(sample) => Some(sample),
                        Answer::Empty | Answer::Several(_) | Answer::Failed(_) => None,
                    };
                    samples.extend(past.values().filter_map(sample));
                }
                start = Timestamp(end.0.saturating_add(step_ms));
            }
            Err(failure @ (Failure::TooLarge | Failure::Timeout)) if points > 1 => {
                timeouts += u32::from(failure == Failure::Timeout);
                if timeouts > MOST_TIMEOUTS {
                    return Err(failure);
                }
                points = points.min((now.0 - start.0) / step_ms + 1).div_ceil(2);
            }
            Err(Failure::Refused) if question.plain.is_some() => question = question.alone(),
            Err(failure) => return Err(failure),
        }
        if start <= now && !stretch.rest.is_zero() {
            tokio::time::sleep(stretch.rest).await;
        }
    }
    Ok(told)
}

/// Points that one request asks for; Prometheus refuses more than 11,000.
const MOST_POINTS: u64 = 5_000;

/// A source that times out again and again is not asked smaller and smaller questions for minutes.
const MOST_TIMEOUTS: u32 = 6;
