//! When a scenario is passed: data in the file, judged the same by every player.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::Scenario;
use crate::measure::{Moment, Report};

/// The pass condition. What is left out is not judged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pass {
    /// At most so many minutes with fewer ready replicas than the load needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsafe_minutes: Option<f64>,
    /// An alarm so many minutes after the first fault began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm_within_minutes: Option<f64>,
    /// While a fault lasts, replicas are never fewer than when the first began, unless the load itself needs fewer, with a
    /// tenth to spare.
    #[serde(default, skip_serializing_if = "is_false")]
    pub never_below_start: bool,
    /// For so many minutes after the last fault replicas are never fewer than at its end, or than what the load needed then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake_minutes: Option<f64>,
    /// No stretch with too few replicas is longer than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_within_minutes: Option<f64>,
    /// So many minutes after the first fault began replicas are at the minimum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_minimum_within_minutes: Option<f64>,
    /// So many minutes after a person pinned the replicas they are what was asked for, until the pin ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin_obeyed_within_minutes: Option<f64>,
    /// One alarm for all copies, not one each.
    #[serde(default, skip_serializing_if = "is_false")]
    pub one_alarm: bool,
    /// When a load that had fallen comes back, replicas are at least this share of what it needs without any fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_at_return_percent: Option<f64>,
    /// At most so much dearer, in replica-hours, than the HPA on the same load with the same headroom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_hpa_load_percent: Option<f64>,
}

/// Sees a run and says which conditions it broke.
#[derive(Clone, Debug)]
pub struct Judge {
    pass: Pass,
    span: Option<(f64, f64)>,
    min: u32,
    pins: Vec<(f64, f64, u32)>,
    capacity: f64,
    at_end: Option<u32>,
    lowest_after: Option<u32>,
    at_start: Option<u32>,
    lowest_since: Option<(f64, u32)>,
    short_since: Option<f64>,
    longest_short: f64,
    at_minimum: Option<f64>,
    pin_broken: Option<(f64, u32)>,
    kept_at_return: Option<f64>,
    over_hpa_load: Option<f64>,
}

/// A broken condition, as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken(String);

impl Judge {
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        let pins =
            scenario.faults.iter().filter_map(|fault| Some((fault.from, fault.end(), scenario.pinned(fault.from)?)));
        Self {
            pass: scenario.pass.clone(),
            span: scenario.fault_span(),
            min: scenario.service.min,
            pins: pins.collect(),
            capacity: scenario.service.capacity,
            at_end: None,
            lowest_after: None,
            at_start: None,
            lowest_since: None,
            short_since: None,
            longest_short: 0.0,
            at_minimum: None,
            pin_broken: None,
            kept_at_return: None,
            over_hpa_load: None,
        }
    }

    pub fn see(&mut self, moment: &Moment) {
        let need = crate::number::replicas(moment.offered / self.capacity);
        if moment.ready < need {
            let since = *self.short_since.get_or_insert(moment.minute);
            self.longest_short = self.longest_short.max(moment.minute + moment.lasts - since);
        } else {
            self.short_since = None;
        }
        let Some((from, to)) = self.span else { return };
        let replicas = moment.replicas;
        if moment.minute <= from || self.at_start.is_none() {
            self.at_start = Some(replicas);
        } else if moment.minute <= to
            && replicas < crate::number::replicas(moment.offered * SPARE / self.capacity)
            && self.lowest_since.is_none_or(|(_, lowest)| replicas < lowest)
        {
            self.lowest_since = Some((moment.minute, replicas));
        }
        if moment.minute < to {
            self.at_end = Some(replicas.min(need));
        } else if self.pass.wake_minutes.is_some_and(|wake| moment.minute <= to + wake) {
            self.lowest_after = Some(self.lowest_after.map_or(replicas, |lowest| lowest.min(replicas)));
        }
        if moment.minute > from && replicas <= self.min {
            self.at_minimum.get_or_insert(moment.minute);
        }
        if let Some(within) = self.pass.pin_obeyed_within_minutes {
            for &(from, to, pinned) in &self.pins {
                if moment.minute >= from + within && moment.minute < to - WHOLE_SECONDS && replicas != pinned {
                    self.pin_broken.get_or_insert((moment.minute, replicas));
                }
            }
        }
    }

    /// What only a player knows that plays without faults too: percent of the need that was kept at the return of the load.
    pub fn kept_at_return(&mut self, percent: f64) {
        self.kept_at_return = Some(percent);
    }

    /// What only a player knows that plays the HPA too: percent of replica-hours above it.
    pub fn over_hpa_load(&mut self, percent: f64) {
        self.over_hpa_load = Some(percent);
    }

    /// The longest time on end with too few ready replicas, in minutes.
    #[must_use]
    pub fn longest_short(&self) -> f64 {
        self.longest_short
    }

    /// `alarms`: how many different objects alarmed; `None`: whoever scales has no alarms, they are not judged.
    #[must_use]
    pub fn broken(&self, report: &Report, alarms: Option<usize>) -> Vec<Broken> {
        let Self { pass, span, at_start, lowest_since, longest_short, at_minimum, pin_broken, .. } = self;
        let from = span.map_or(0.0, |(from, _)| from);
        let mut broken = Vec::new();
        let mut say = |what: String| broken.push(Broken(what));
        if let Some(most) = pass.unsafe_minutes
            && report.unsafe_minutes > most
        {
            let (first, last) = (report.first_unsafe.unwrap_or(0.0), report.last_unsafe.unwrap_or(0.0));
            say(format!(
                "{:.1} unsafe minutes (at most {most}), between minute {first:.1} and {last:.1}, {} replicas short at worst",
                report.unsafe_minutes, report.largest_deficit
            ));
        }
        if let (Some(within), Some(_)) = (pass.alarm_within_minutes, alarms) {
            match report.first_alarm {
                Some(at) if at - from <= within => {}
                Some(at) => say(format!("the first alarm came after {:.1} minutes, not {within}", at - from)),
                None => say(format!("no alarm, though one was due after {within} minutes")),
            }
        }
        if let (true, Some(start), Some((minute, lowest))) = (pass.never_below_start, at_start, lowest_since)
            && lowest < start
        {
            say(format!("{lowest} replicas at minute {minute:.1}, {start} when the fault began"));
        }
        if let (Some(end), Some(lowest)) = (self.at_end, self.lowest_after)
            && lowest < end
        {
            say(format!("{lowest} replicas in the wake of the last fault, {end} needed at its end"));
        }
        if let Some(within) = pass.restored_within_minutes
            && *longest_short > within
        {
            say(format!("too few replicas for {longest_short:.1} minutes on end, not {within}"));
        }
        if let Some(within) = pass.at_minimum_within_minutes {
            match at_minimum {
                Some(at) if at - from <= within => {}
                Some(at) => say(format!("at the minimum after {:.0} minutes, not {within}", at - from)),
                None => say(format!("never came down to the minimum, though due after {within} minutes")),
            }
        }
        if let Some((minute, replicas)) = pin_broken {
            say(format!("{replicas} replicas at minute {minute:.1} though a person had pinned another number"));
        }
        if let (Some(least), Some(kept)) = (pass.kept_at_return_percent, self.kept_at_return)
            && kept < least
        {
            say(format!("{kept:.0} % of the need kept when the load came back, not {least}"));
        }
        if let (Some(most), Some(over)) = (pass.over_hpa_load_percent, self.over_hpa_load)
            && over > most
        {
            say(format!("{over:.1} % dearer than the HPA on the same load, not {most}"));
        }
        if let (true, Some(alarms)) = (pass.one_alarm, alarms)
            && alarms != 1
        {
            say(format!("{alarms} alarms, not one"));
        }
        broken
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Minutes. An order ends at a whole second of the cluster's clock: up to twenty seconds early where time runs at twenty times
/// its pace.
const WHOLE_SECONDS: f64 = 0.5;

/// A tenth, inside any headroom: noise of a moment is no need.
const SPARE: f64 = 1.1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Measure;

    const FILE: &str = "
id: X
title: A test
class: lying
source: none
shape: none
starts: 2024-03-05T01:20:00Z
minutes: 60
trace: {generate: {seed: 1, peak: 100}}
service: {capacity: 10, min: 2, max: 20}
faults: [{from: 10, to: 40, operator: {pin: {replicas: 12}}}]
pass: PASS
";

    fn broken(pass: &str, replicas: impl Fn(u32) -> u32, alarm: Option<f64>) -> Vec<String> {
        let scenario = Scenario::from_yaml(&FILE.replace("PASS", pass)).unwrap();
        let (mut judge, mut measure) = (Judge::new(&scenario), Measure::new(10.0));
        for minute in 0..60 {
            let count = replicas(minute);
            let moment =
                Moment { minute: f64::from(minute), lasts: 1.0, offered: 100.0, ready: count, replicas: count };
            judge.see(&moment);
            measure.add(&moment);
        }
        alarm.into_iter().for_each(|at| measure.alarm(at));
        judge.broken(&measure.report(), Some(usize::from(alarm.is_some()))).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_good_run_breaks_nothing() {
        let all = "{unsafeMinutes: 0, alarmWithinMinutes: 5, neverBelowStart: true, restoredWithinMinutes: 0, \
                   pinObeyedWithinMinutes: 1, oneAlarm: true}";
        assert_eq!(broken(all, |_| 12, Some(12.0)), Vec::<String>::new());
    }

    #[test]
    fn each_condition_is_judged() {
        let dip = |minute| if (20..23).contains(&minute) { 7 } else { 12 };
        let all = "{unsafeMinutes: 0, alarmWithinMinutes: 5, neverBelowStart: true, restoredWithinMinutes: 2, \
                   pinObeyedWithinMinutes: 1, oneAlarm: true, atMinimumWithinMinutes: 5}";
        assert_eq!(
            broken(all, dip, None),
            [
                "3.0 unsafe minutes (at most 0), between minute 20.0 and 22.0, 3 replicas short at worst",
                "no alarm, though one was due after 5 minutes",
                "7 replicas at minute 20.0, 12 when the fault began",
                "too few replicas for 3.0 minutes on end, not 2",
                "never came down to the minimum, though due after 5 minutes",
                "7 replicas at minute 20.0 though a person had pinned another number",
                "0 alarms, not one",
            ]
        );
        assert_eq!(
            broken("{alarmWithinMinutes: 5}", dip, Some(20.0)),
            ["the first alarm came after 10.0 minutes, not 5"]
        );
        let slow = |minute| if minute < 30 { 12 } else { 2 };
        assert_eq!(broken("{atMinimumWithinMinutes: 5}", slow, None), ["at the minimum after 20 minutes, not 5"]);
    }
}
