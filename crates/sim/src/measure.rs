//! By what a run is judged: was there ever less than the traffic needed, and what did the rest cost.

use serde::{Deserialize, Serialize};

use crate::number::{amount, replicas};

/// One moment of a run, and how long it lasted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// Minutes from the start of the scenario.
    pub minute: f64,
    /// Minutes until the next moment.
    pub lasts: f64,
    /// Requests a second that clients offer, retries not counted.
    pub offered: f64,
    pub ready: u32,
    /// `spec.replicas`.
    pub replicas: u32,
}

/// Adds up a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    capacity: f64,
    minutes: f64,
    unsafe_minutes: f64,
    first_unsafe: Option<f64>,
    last_unsafe: Option<f64>,
    offered: f64,
    unmet: f64,
    lowest: Option<u32>,
    largest_deficit: u32,
    replica_minutes: f64,
    under: f64,
    over: f64,
    over_minutes: f64,
    contrary: f64,
    adaptations: u32,
    last: Option<(u32, u32)>,
    first_alarm: Option<f64>,
}

/// The judgement. theta, tau and upsilon are the SPEC RG elasticity measures; a need of zero counts as one replica there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub minutes: f64,
    /// Minutes with fewer ready replicas than `ceil(load / capacity)`.
    pub unsafe_minutes: f64,
    /// First and last minute of these.
    pub first_unsafe: Option<f64>,
    pub last_unsafe: Option<f64>,
    /// Share of the offered load above what the ready replicas carry safely. Errors of the service itself are not in
    /// it: no number of replicas repairs them.
    pub unmet_percent: f64,
    pub lowest_replicas: u32,
    pub largest_deficit: u32,
    pub replica_hours: f64,
    pub theta_u: f64,
    pub theta_o: f64,
    pub tau_u: f64,
    pub tau_o: f64,
    pub upsilon: f64,
    /// Changes of the number of replicas.
    pub adaptations: u32,
    /// Minute of the first alarm, from the start of the scenario.
    pub first_alarm: Option<f64>,
}

impl Measure {
    /// `capacity`: requests a second that one replica carries safely.
    #[must_use]
    pub fn new(capacity: f64) -> Self {
        Self {
            capacity: amount(capacity).max(f64::MIN_POSITIVE),
            minutes: 0.0,
            unsafe_minutes: 0.0,
            first_unsafe: None,
            last_unsafe: None,
            offered: 0.0,
            unmet: 0.0,
            lowest: None,
            largest_deficit: 0,
            replica_minutes: 0.0,
            under: 0.0,
            over: 0.0,
            over_minutes: 0.0,
            contrary: 0.0,
            adaptations: 0,
            last: None,
            first_alarm: None,
        }
    }

    /// Replicas that this load needs, without any headroom.
    #[must_use]
    pub fn need(&self, offered: f64) -> u32 {
        replicas(amount(offered) / self.capacity)
    }

    pub fn add(&mut self, moment: &Moment) {
        let lasts = amount(moment.lasts);
        let (need, ready) = (self.need(moment.offered), moment.ready);
        let (need_units, ready_units) = (f64::from(need.max(1)), f64::from(ready));
        let offered = amount(moment.offered);

        self.minutes += lasts;
        self.offered += offered * lasts;
        self.unmet += (offered - ready_units * self.capacity).max(0.0) * lasts;
        self.replica_minutes += f64::from(moment.replicas) * lasts;
        self.under += (need_units - ready_units).max(0.0) / need_units * lasts;
        self.over += (ready_units - need_units).max(0.0) / need_units * lasts;
        self.lowest = Some(self.lowest.map_or(moment.replicas, |lowest| lowest.min(moment.replicas)));
        if ready < need {
            self.unsafe_minutes += lasts;
            self.first_unsafe.get_or_insert(moment.minute);
            self.last_unsafe = Some(moment.minute);
            self.largest_deficit = self.largest_deficit.max(need - ready);
        } else if ready > need.max(1) {
            self.over_minutes += lasts;
        }
        if let Some((last_need, last_replicas)) = self.last {
            let (demand, supply) = (need.cmp(&last_need), moment.replicas.cmp(&last_replicas));
            self.adaptations += u32::from(supply.is_ne());
            if demand != supply {
                self.contrary += lasts;
            }
        }
        self.last = Some((need, moment.replicas));
    }

    /// Somebody was told; the first time counts.
    pub fn alarm(&mut self, minute: f64) {
        self.first_alarm.get_or_insert(minute);
    }

    #[must_use]
    pub fn report(&self) -> Report {
        let minutes = self.minutes.max(f64::MIN_POSITIVE);
        let percent = |part: f64| 100.0 * (part / minutes).min(f64::MAX / 100.0);
        Report {
            minutes: self.minutes,
            unsafe_minutes: self.unsafe_minutes,
            first_unsafe: self.first_unsafe,
            last_unsafe: self.last_unsafe,
            unmet_percent: if self.offered > 0.0 { 100.0 * (self.unmet / self.offered) } else { 0.0 },
            lowest_replicas: self.lowest.unwrap_or(0),
            largest_deficit: self.largest_deficit,
            replica_hours: self.replica_minutes / 60.0,
            theta_u: percent(self.under),
            theta_o: percent(self.over),
            tau_u: percent(self.unsafe_minutes),
            tau_o: percent(self.over_minutes),
            upsilon: percent(self.contrary),
            adaptations: self.adaptations,
            first_alarm: self.first_alarm,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moment(minute: f64, offered: f64, ready: u32) -> Moment {
        Moment { minute, lasts: 1.0, offered, ready, replicas: ready }
    }

    #[test]
    fn a_run_by_hand() {
        let mut measure = Measure::new(100.0);
        for (minute, ready) in [(0.0, 10), (1.0, 4), (2.0, 12), (3.0, 10)] {
            measure.add(&moment(minute, 1_000.0, ready));
        }
        measure.alarm(2.5);
        measure.alarm(3.5);
        let report = measure.report();
        assert_eq!((report.unsafe_minutes, report.first_unsafe, report.last_unsafe), (1.0, Some(1.0), Some(1.0)));
        assert_eq!((report.lowest_replicas, report.largest_deficit, report.adaptations), (4, 6, 3));
        assert!((report.unmet_percent - 15.0).abs() < 1e-9, "{}", report.unmet_percent);
        assert!((report.theta_u - 15.0).abs() < 1e-9 && (report.theta_o - 5.0).abs() < 1e-9);
        assert_eq!((report.tau_u, report.tau_o, report.upsilon), (25.0, 25.0, 75.0));
        assert!((report.replica_hours - 0.6).abs() < 1e-9);
        assert_eq!(report.first_alarm, Some(2.5));
    }

    #[test]
    fn exactly_enough_is_enough() {
        let mut measure = Measure::new(100.0);
        measure.add(&moment(0.0, 1_000.0, 10));
        measure.add(&moment(1.0, 1_000.1, 10));
        assert_eq!(measure.report().unsafe_minutes, 1.0);
    }

    proptest! {
        #[test]
        fn any_run_has_finite_measures(capacity: f64, run in proptest::collection::vec((any::<[f64; 3]>(), any::<[u32; 2]>()), 0..20)) {
            let mut measure = Measure::new(capacity);
            for ([minute, lasts, offered], [ready, replicas]) in run {
                measure.add(&Moment { minute, lasts, offered, ready, replicas });
            }
            let report = measure.report();
            for number in [
                report.unsafe_minutes, report.unmet_percent, report.replica_hours, report.theta_u, report.theta_o, report.tau_u,
                report.tau_o, report.upsilon,
            ] {
                prop_assert!(number.is_finite() && number >= 0.0, "{report:?}");
            }
            prop_assert!(report.unmet_percent <= 100.0 + 1e-6);
        }
    }
}
