//! Every bound of a duration or a number: each used by the API server's rule and by the parse.

use super::quantity::QuantityBounds;
use super::span::SpanBounds;

/// Above a scrape or two, below an hour: an older sample says nothing of now.
pub(crate) const MAX_AGE: SpanBounds = SpanBounds::new("1s", "1h", "2m");

/// As fine as the fastest source, as coarse as a slow batch exporter.
pub(crate) const RESOLUTION: SpanBounds = SpanBounds::new("100ms", "15m", "1m");

/// A backlog that may take longer than a day asks for no replica.
pub(crate) const DRAIN_WITHIN: SpanBounds = SpanBounds::new("1s", "24h", "10m");

/// A week: longer than any incident that nobody noticed.
pub(crate) const HOLD_AT_MOST: SpanBounds = SpanBounds::new("1s", "168h", "24h");

/// The first reading of an unusual fall is that it is an error; a day is as long as that can be believed.
pub(crate) const HOLD_FOR: SpanBounds = SpanBounds::new("1s", "24h", "1h");

/// A week at most, so that true zero decays (law L6).
pub(crate) const KEEP_FOR: SpanBounds = SpanBounds::new("1s", "168h", "8h");

/// Below a second there is no second sample; above a day the window is no memory of a peak but a history.
pub(crate) const WINDOW: SpanBounds = SpanBounds::new("1s", "24h", "10m");

/// At a week a floor of 100 takes seven weeks to its minimum: nobody wants more.
pub(crate) const HALF_LIFE: SpanBounds = SpanBounds::new("1s", "168h", "1h");

/// Zero switches verification off for workloads where harm can't be seen.
pub(crate) const VERIFY_FOR: SpanBounds = SpanBounds::new("0s", "1h", "2m");

/// A tenth of a second serves simulations in fast motion; above ten minutes nothing is live.
pub(crate) const INTERVAL: SpanBounds = SpanBounds::new("100ms", "10m", "15s");

/// As the interval; a query that runs for five minutes is no basis of a live decision.
pub(crate) const TIMEOUT: SpanBounds = SpanBounds::new("100ms", "5m", "10s");

/// Seven days: a person's order must not outlive the person's memory of it.
pub(crate) const OVERRIDE_LASTS: SpanBounds = SpanBounds::new("1s", "168h", "30m");

/// Capacity divides the load: zero would ask for endless replicas.
pub(crate) const CAPACITY: QuantityBounds = QuantityBounds::AboveZero { example: "120" };

/// A share; 1 is never passed and so turns the check off.
pub(crate) const ERRORS_ABOVE: QuantityBounds = QuantityBounds::UpTo { most: "1", example: "0.05" };

/// Zero judges every share, however little work there is.
pub(crate) const MIN_RATE: QuantityBounds = QuantityBounds::ZeroOrMore { example: "1" };

/// More than a gibibyte of answer would endanger the process.
pub(crate) const BODY_LIMIT: QuantityBounds = QuantityBounds::UpTo { most: "1Gi", example: "16Mi" };
