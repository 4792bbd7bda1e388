//! What a tick brings to everybody alike: the load, and the faults that last.

use floorkeeper_sim::scenario::{Said, Series};
use floorkeeper_sim::{Inputs, Scenario};

/// One tick of the world, the same for every scaler.
#[derive(Clone, Debug)]
pub(crate) struct Sky {
    /// Seconds from minute 0.
    pub(crate) now: f64,
    pub(crate) minute: f64,
    /// Seconds until the next tick.
    pub(crate) lasts: f64,
    /// Offered load a second.
    pub(crate) offered: f64,
    /// The load that a scaler answers for: not above its maximum, nor above what a person has pinned.
    pub(crate) answerable: f64,
    /// The service's inputs; `ready` is each lane's own.
    pub(crate) inputs: Inputs,
    pub(crate) edge: Said,
    pub(crate) errors: Said,
    pub(crate) app: Said,
    pub(crate) cpu: Said,
    /// The source does not answer.
    pub(crate) down: bool,
    /// Share of the pods that are unready.
    pub(crate) unready: f64,
    pub(crate) start_failing: bool,
    /// Pods created from then on do not start, while `start_failing`.
    pub(crate) start_failing_since: f64,
    pub(crate) unserved_since: Option<f64>,
    pub(crate) oldest_go_first: bool,
}

impl Sky {
    /// Nothing is wrong.
    pub(crate) fn calm(now: f64, lasts: f64, offered: f64) -> Self {
        let said = Said { factor: 1.0, missing: 0.0, odd: None, late: 0.0, ahead: 0.0 };
        Self {
            now,
            minute: now / 60.0,
            lasts,
            offered,
            answerable: offered,
            inputs: Inputs::calm(offered, 0),
            edge: said,
            errors: said,
            app: said,
            cpu: said,
            down: false,
            unready: 0.0,
            start_failing: false,
            start_failing_since: f64::INFINITY,
            unserved_since: None,
            oldest_go_first: false,
        }
    }

    /// With the faults of a scenario.
    pub(crate) fn of(scenario: &Scenario, now: f64, lasts: f64, offered: f64) -> Self {
        let mut sky = Self::calm(now, lasts, offered);
        if scenario.faults.is_empty() || now < 0.0 {
            return sky;
        }
        let minute = sky.minute;
        sky.inputs = scenario.inputs(offered, 0, minute);
        sky.edge = scenario.said(Series::Edge, minute);
        sky.errors = scenario.said(Series::Errors, minute);
        sky.app = scenario.said(Series::App, minute);
        sky.cpu = scenario.said(Series::Cpu, minute);
        sky.down = scenario.source_is_down(minute);
        sky.unready = scenario.unready_share(minute);
        if let Some(since) = scenario.starts_fail_since(minute) {
            (sky.start_failing, sky.start_failing_since) = (true, since * 60.0);
        }
        if let Some(since) = scenario.unserved_since(minute) {
            (sky.unserved_since, sky.oldest_go_first) = (Some(since * 60.0), true);
        }
        sky
    }
}
