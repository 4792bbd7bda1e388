//! Which policy a history asks for, and what in it says so.
//!
//! A suggestion follows a rule that a person can check by hand, and its evidence is that rule with the history's numbers.
//! Where the history says nothing, what the policy has stays, and the evidence says that too.

use core::time::Duration;

use floorkeeper_core::Policy;

use super::history::History;
use super::shape::{Shape, quantile};

/// What is known before.
#[derive(Clone, Copy, Debug)]
pub struct Fit<'a> {
    pub history: &'a History,
    pub policy: &'a Policy,
    /// As the policy has it; `None`: not measured yet.
    pub capacity: Option<f64>,
    /// Minutes from a pod's creation until it is ready.
    pub start_delay: f64,
}

/// A field of a policy that a history speaks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Capacity,
    HeadroomPercent,
    Window,
    HalfLife,
    HoldFor,
    KeepPercent,
    KeepFor,
    UntilLearnedPercent,
}

/// A value with its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Setting {
    Load(f64),
    Percent(u32),
    Time(Duration),
}

/// One suggestion.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    pub field: Field,
    pub value: Setting,
    /// What the policy has now; `None`: nothing.
    pub before: Option<Setting>,
    /// Why, with the history's numbers.
    pub evidence: String,
}

impl Field {
    /// Its path in a ScalingPolicy.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Capacity => "spec.demand.capacity",
            Self::HeadroomPercent => "spec.demand.headroomPercent",
            Self::Window => "spec.scaleDown.window",
            Self::HalfLife => "spec.scaleDown.halfLife",
            Self::HoldFor => "spec.distrust.unusualFall.holdFor",
            Self::KeepPercent => "spec.distrust.unusualFall.keepPercent",
            Self::KeepFor => "spec.distrust.unusualFall.keepFor",
            Self::UntilLearnedPercent => "spec.distrust.unusualFall.untilLearnedPercent",
        }
    }
}

impl Fit<'_> {
    /// One suggestion for each field. Empty only where no capacity is known and none can be estimated.
    #[must_use]
    pub fn all(&self) -> Vec<Fitted> {
        let shape = Shape::of(self.history);
        let Some(capacity) = self.capacity_fit(&shape) else { return Vec::new() };
        let (headroom, headroom_percent) = self.headroom(&shape);
        let per_replica = match capacity.value {
            Setting::Load(load) => load,
            Setting::Percent(_) | Setting::Time(_) => return Vec::new(),
        };
        let window = self.window(&shape, per_replica, headroom_percent);
        let (until, share) = self.until_learned(&shape);
        let dips = self.dips(&shape, share);
        [vec![capacity, headroom, window, self.half_life(&shape)], dips, vec![until]].concat()
    }

    /// The policy's own is a measurement, and stays. Without one: what replicas were seen to carry, on the safe side.
    fn capacity_fit(&self, shape: &Shape) -> Option<Fitted> {
        let pairs = self.history.points().iter().filter_map(|point| Some((point.load?, point.replicas?)));
        let busy = pairs.filter(|(load, replicas)| *replicas >= 1.0 && *load > shape.peak / 2.0);
        let mut each: Vec<f64> = busy.map(|(load, replicas)| load / replicas).collect();
        let (usual, most) = (quantile(&mut each, 0.5), quantile(&mut each, 0.99));
        let before = self.capacity.map(Setting::Load);
        let (value, evidence) = match (self.capacity, usual, most) {
            (Some(capacity), Some(usual), Some(most)) if most > capacity => (
                capacity,
                format!(
                    "kept. In busy hours a replica carried {} a second (median) and {} in one sample of hundred, more than \
                     the {} that this policy calls safe. If the service was well then, capacity can be higher: prove it with a \
                     load test, this history does not show errors",
                    round(usual),
                    round(most),
                    round(capacity)
                ),
            ),
            (Some(capacity), Some(usual), Some(most)) => (
                capacity,
                format!(
                    "kept. In busy hours a replica carried {} a second (median) and more than {} in one sample of hundred only: this \
                     history neither shows nor contradicts that {} is safe",
                    round(usual),
                    round(most),
                    round(capacity)
                ),
            ),
            (Some(capacity), _, _) => {
                (capacity, "kept. The history has no replicas, so it says nothing of what one carries".to_owned())
            }
            (None, Some(usual), Some(_)) => (
                two_digits_down(usual),
                format!(
                    "an estimate: in busy hours (above half of the peak) a replica carried {} a second, median of {} samples. \
                     What it carries safely at most is more or less than that: measure it with a load test",
                    round(usual),
                    each.len()
                ),
            ),
            (None, _, _) => return None,
        };
        Some(Fitted { field: Field::Capacity, value: Setting::Load(value), before, evidence })
    }

    /// Enough for what the load rises until new pods serve.
    fn headroom(&self, shape: &Shape) -> (Fitted, u32) {
        let window = self.policy.window.as_secs_f64().max(shape.step);
        let ahead = self.start_delay * 60.0 + NOTICED;
        let mut rises = shape.rises(window, ahead);
        let (least, count) = (quantile(&mut rises, RARE), rises.len());
        let before = self.policy.headroom_percent;
        // Little or coarse evidence may ask for more, never for less.
        let floor = if ahead < shape.step || !shape.lasts(A_DAY) { before.max(10) } else { 10 };
        let percent = least.map_or(before, |rise| five_up((rise - 1.0) * 100.0).clamp(floor.min(100), 100));
        let worst = rises.last().copied().unwrap_or(1.0);
        let coarse = match () {
            () if ahead < shape.step => ", read from a straight line between coarser samples: never lowered for that",
            () if !shape.lasts(A_DAY) => "; less than a day never lowers it",
            () => "",
        };
        let evidence = match least {
            Some(rise) => format!(
                "within the {} until new pods serve, the load rose at most {:.0} % above the window's peak in 99.9 % of {count} \
                 samples ({:.0} % at worst){coarse}; rounded up, 10 at least",
                span(ahead),
                (rise - 1.0) * 100.0,
                (worst - 1.0) * 100.0,
            ),
            None => "kept. The history is too short to say how fast the load rises".to_owned(),
        };
        let value = Setting::Percent(percent);
        (Fitted { field: Field::HeadroomPercent, value, before: Some(Setting::Percent(before)), evidence }, percent)
    }

    /// The shortest that spares the pods a going and coming.
    fn window(&self, shape: &Shape, capacity: f64, headroom: u32) -> Fitted {
        let before = self.policy.window;
        let fitted = |value: Duration, evidence: String| Fitted {
            field: Field::Window,
            value: Setting::Time(value),
            before: Some(Setting::Time(before)),
            evidence,
        };
        if shape.step > COARSE {
            return fitted(
                before,
                format!("kept. Samples every {} can't tell one window from another", span(shape.step)),
            );
        }
        if !shape.lasts(A_DAY) {
            return fitted(before, "kept. Less than a day says little of a day".to_owned());
        }
        let days = shape.loads.len() as f64 * shape.step / A_DAY;
        let mut tried = Vec::new();
        for minutes in WINDOWS.iter().copied().filter(|minutes| f64::from(*minutes) * 60.0 >= 2.0 * shape.step) {
            let (needless, mean) = self.comings(shape, f64::from(minutes) * 60.0, capacity, headroom);
            tried.push((minutes, needless / days, mean));
        }
        let Some(chosen) = tried.iter().find(|(_, a_day, _)| *a_day <= CALM).or_else(|| tried.last()) else {
            return fitted(before, "kept. The history is too short".to_owned());
        };
        let text: Vec<String> = tried
            .iter()
            .map(|(minutes, a_day, mean)| format!("{minutes}m {a_day:.1} a day at {mean:.1} replicas"))
            .collect();
        let evidence = format!(
            "how often replicas would have gone and been wanted back within half an hour: {}. The shortest with at most {CALM:.0} \
             a day",
            text.join(", ")
        );
        fitted(Duration::from_secs(u64::from(chosen.0) * 60), evidence)
    }

    /// Times at which a need falls and is back within half an hour; and the mean need.
    fn comings(&self, shape: &Shape, window: f64, capacity: f64, headroom: u32) -> (f64, f64) {
        let factor = (1.0 + f64::from(headroom) / 100.0) / capacity.max(f64::MIN_POSITIVE);
        let needs: Vec<f64> =
            shape.peaks(shape.steps(window)).into_iter().flatten().map(|peak| (peak * factor).ceil()).collect();
        let soon = shape.steps(1_800.0);
        let mut count = 0.0;
        let mut fell: Option<(usize, f64)> = None;
        for (at, pair) in needs.windows(2).enumerate() {
            if pair[1] < pair[0] && fell.is_none_or(|(since, _)| at - since > soon) {
                fell = Some((at, pair[0]));
            }
            if let Some((since, level)) = fell
                && pair[1] >= level
                && pair[1] > pair[0]
            {
                count += f64::from(u8::from(at - since <= soon));
                fell = None;
            }
        }
        (count, needs.iter().sum::<f64>() / needs.len().max(1) as f64)
    }

    /// As fast as this load usually falls, and no faster.
    fn half_life(&self, shape: &Shape) -> Fitted {
        let before = self.policy.half_life;
        let mut falls = shape.falls_in_an_hour(self.policy.window.as_secs_f64().max(shape.step));
        let enough = shape.lasts(2.0 * A_DAY);
        let steep = quantile(&mut falls, STEEP).filter(|_| enough);
        let (value, evidence) = match steep {
            Some(ratio) if ratio < 0.999 => {
                let natural = 3_600.0 * 0.5_f64.ln() / ratio.max(0.001).ln();
                let fitted = five_minutes(natural).clamp(SHORTEST_HALF, LONGEST_HALF);
                let evidence = format!(
                    "in 99 of 100 hours the window's peak kept at least {:.0} % of the hour before, which halves in {}; a floor \
                     that falls so fast follows all but the steepest hours (between 30m and 2h)",
                    ratio * 100.0,
                    span(natural.min(86_400.0 * 7.0))
                );
                (fitted, evidence)
            }
            Some(_) => (before, "kept. The load hardly falls at all".to_owned()),
            None => (before, "kept. Under two days no night speaks for all nights".to_owned()),
        };
        Fitted { field: Field::HalfLife, value: Setting::Time(value), before: Some(Setting::Time(before)), evidence }
    }

    /// Under what the load's own falls reach on ordinary days: what only two days showed is no custom.
    fn until_learned(&self, shape: &Shape) -> (Fitted, f64) {
        let before = self.policy.fall.until_learned_percent;
        let mut deepest = shape.deepest_of_each_day();
        deepest.sort_by(f64::total_cmp);
        let usual = deepest.get(2).filter(|_| deepest.len() >= 5 && shape.step <= COARSE);
        let (percent, evidence) = match usual {
            Some(share) => {
                let percent = five_down(share * 90.0).clamp(30, 70);
                let evidence = format!(
                    "of {} days, all but two stayed above {:.0} % of the last hour's peak (the deepest day fell to {:.0} %); a tenth \
                     below it, rounded down, between 30 and 70: what falls deeper is held as unusual until falls are learned",
                    deepest.len(),
                    share * 100.0,
                    deepest.first().copied().unwrap_or(0.0) * 100.0
                );
                (percent, evidence)
            }
            None => (before, "kept. Too short or too coarse a history to know this load's falls".to_owned()),
        };
        let fitted = Fitted {
            field: Field::UntilLearnedPercent,
            value: Setting::Percent(percent),
            before: Some(Setting::Percent(before)),
            evidence,
        };
        (fitted, f64::from(percent) / 100.0)
    }

    /// Long enough for the dips that came back.
    fn dips(&self, shape: &Shape, share: f64) -> Vec<Fitted> {
        let fall = &self.policy.fall;
        // A single coarse sample is no dip.
        let dips = if shape.step > COARSE { Vec::new() } else { shape.dips(share) };
        let longest = dips.iter().max_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let (hold, hold_evidence) = match longest {
            Some(dip) => {
                let fitted = five_minutes(dip.seconds * 1.2).clamp(fall.hold_for.min(LONGEST_HOLD), LONGEST_HOLD);
                let evidence = format!(
                    "{} below {:.0} % of the hour's peak and back at 80 % within eight hours; the longest took {} (down to {:.0} %), \
                     and a fifth more. Never shortened, 2h at most",
                    counted(dips.len()),
                    share * 100.0,
                    span(dip.seconds),
                    dip.depth * 100.0
                );
                (fitted, evidence)
            }
            None => (
                fall.hold_for,
                format!(
                    "kept. No fall below {:.0} % of the hour's peak came back within eight hours: nothing to learn from",
                    share * 100.0
                ),
            ),
        };
        let keep_for = fall.keep_for.max(hold);
        let keep = "kept. How much to keep for a return is a choice between price and safety, see docs/frontier.svg";
        vec![
            Fitted {
                field: Field::HoldFor,
                value: Setting::Time(hold),
                before: Some(Setting::Time(fall.hold_for)),
                evidence: hold_evidence,
            },
            Fitted {
                field: Field::KeepPercent,
                value: Setting::Percent(fall.keep_percent),
                before: Some(Setting::Percent(fall.keep_percent)),
                evidence: keep.to_owned(),
            },
            Fitted {
                field: Field::KeepFor,
                value: Setting::Time(keep_for),
                before: Some(Setting::Time(fall.keep_for)),
                evidence: keep.to_owned(),
            },
        ]
    }
}

fn counted(dips: usize) -> String {
    if dips == 1 { "one fall".to_owned() } else { format!("{dips} falls") }
}

fn round(number: f64) -> String {
    if number >= 100.0 { format!("{number:.0}") } else { format!("{number:.1}") }
}

fn span(seconds: f64) -> String {
    match seconds {
        _ if seconds < 120.0 => format!("{seconds:.0} s"),
        _ if seconds < 7_200.0 => format!("{:.0} min", seconds / 60.0),
        _ if seconds < 172_800.0 => format!("{:.1} h", seconds / 3_600.0),
        _ => format!("{:.1} days", seconds / 86_400.0),
    }
}

/// To two digits, never up: `137` is `130`.
fn two_digits_down(number: f64) -> f64 {
    let unit = 10_f64.powf(number.max(f64::MIN_POSITIVE).log10().floor() - 1.0);
    (number / unit).floor() * unit
}

fn five_up(percent: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, as it should")]
    let fives = (percent / 5.0 - 1e-9).ceil() as u32;
    fives.saturating_mul(5)
}

fn five_down(percent: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, as it should")]
    let fives = (percent / 5.0 + 1e-9).floor() as u32;
    fives.saturating_mul(5)
}

fn five_minutes(seconds: f64) -> Duration {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, as it should")]
    let fives = (seconds / 300.0 - 1e-9).ceil() as u64;
    Duration::from_secs(fives.min(100_000) * 300)
}

/// Seconds until floorkeeper has seen a rise: a rate over two minutes shows half of it in one, and a tick.
const NOTICED: f64 = 75.0;

/// All but one in a thousand.
const RARE: f64 = 0.999;

/// Of hundred hours the steepest.
const STEEP: f64 = 0.01;

/// Seconds between samples above which minutes can't be told apart.
const COARSE: f64 = 900.0;

const A_DAY: f64 = 86_400.0;

/// Minutes: windows that are tried.
const WINDOWS: &[u32] = &[5, 10, 15, 20, 30];

/// Needless goings and comings a day that nobody minds.
const CALM: f64 = 6.0;

const SHORTEST_HALF: Duration = Duration::from_secs(1_800);

/// Longer: a floor that a spike has raised would stay for a day.
const LONGEST_HALF: Duration = Duration::from_secs(7_200);

/// Longer dips are what `keepFor` is for.
const LONGEST_HOLD: Duration = Duration::from_secs(7_200);

#[cfg(test)]
mod tests;
