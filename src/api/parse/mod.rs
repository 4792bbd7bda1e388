//! The border: objects of the API become values that can't be wrong, or mistakes that say what to write.
//!
//! The API server has refused most mistakes by then. They are looked for here once more, for objects that are older
//! than a rule, and for `floorkeeper check`, which has no API server.

mod orders;
mod policy;
mod sources;

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use super::quantity::QuantityBounds;
use super::span::SpanBounds;
use super::text::Form;
use super::{MetricSource, Quantity, Span};

pub use orders::mistakes_of_override;
pub use policy::policy;
pub use sources::mistakes_of_source;

/// One thing that can't be understood: where it stands and what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// `spec.demand.signals[0].capacity`.
    pub path: String,
    pub message: String,
}

/// What a policy refers to outside of itself.
pub trait Surroundings {
    /// A MetricSource by its name. `None` where there is none: the policy stands, its readings are unknown.
    fn source(&self, name: &str) -> Option<Arc<MetricSource>>;

    /// Plural resource and group (`deployments.apps`) of an apiVersion and kind.
    ///
    /// # Errors
    /// Why there is none, and what to do: a person reads it in the policy's status.
    fn resource(&self, api_version: &str, kind: &str) -> Result<Arc<str>, String>;
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl std::error::Error for Mistake {}

/// Collects mistakes while an object is read, so that its author hears of all of them at once.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    mistakes: Vec<Mistake>,
}

impl Reader {
    pub(crate) fn mistake(&mut self, path: impl fmt::Display, message: impl Into<String>) {
        self.mistakes.push(Mistake { path: path.to_string(), message: message.into() });
    }

    /// A duration; the default where it is left out or wrong.
    pub(crate) fn span(
        &mut self,
        path: impl fmt::Display,
        span: Option<&Span>,
        bounds: SpanBounds,
    ) -> Option<Duration> {
        let read = bounds.parse(span?);
        self.keep(path, read)
    }

    pub(crate) fn quantity(
        &mut self,
        path: impl fmt::Display,
        value: Option<&Quantity>,
        bounds: QuantityBounds,
    ) -> Option<f64> {
        let read = bounds.parse(value?);
        self.keep(path, read)
    }

    pub(crate) fn text(&mut self, path: impl fmt::Display, text: Option<&str>, form: Form) {
        if let Some(text) = text {
            let read = form.check(text);
            self.keep(path, read);
        }
    }

    /// An integer between two bounds, both allowed.
    pub(crate) fn count(&mut self, path: impl fmt::Display, count: Option<i32>, least: u32, most: u32) -> Option<u32> {
        let count = count?;
        match u32::try_from(count).ok().filter(|count| (least..=most).contains(count)) {
            Some(count) => Some(count),
            None => {
                self.mistake(path, format!("{count}: write a whole number from {least} to {most}"));
                None
            }
        }
    }

    fn keep<T>(&mut self, path: impl fmt::Display, read: Result<T, String>) -> Option<T> {
        read.map_err(|message| self.mistake(path, message)).ok()
    }

    pub(crate) fn finish<T>(self, value: T) -> Result<T, Vec<Mistake>> {
        if self.mistakes.is_empty() { Ok(value) } else { Err(self.mistakes) }
    }
}
