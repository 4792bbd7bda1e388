//! What became of an order, and what the way out is where nobody is there to obey it. Pure.

use std::time::Duration;

use floorkeeper_core::Bounds;
use jiff::Timestamp;
use kube::ResourceExt as _;

use super::list::action;
use crate::api::{FloorOverride, Mode, OverrideAction, ScalingPolicy, keda};
use crate::cli::ago;
use crate::cli::heartbeat::{DEAD, Heart};
use crate::cli::scalers::Found;
use crate::cli::terminal::{Terminal, Tone};

/// What stands where floorkeeper does not write.
#[derive(Clone, Debug, Default)]
pub(super) struct Way {
    pub(super) scaler: Option<Found>,
    /// The namespace has the label that lets the API server keep floors.
    pub(super) enforced: bool,
}

/// An order and its fate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer<'a> {
    pub(super) order: &'a FloorOverride,
    pub(super) before: Option<&'a ScalingPolicy>,
    pub(super) policy: Option<&'a ScalingPolicy>,
    pub(super) obeyed: bool,
    pub(super) waited: Duration,
    pub(super) heart: &'a Heart,
    pub(super) way: Option<&'a Way>,
    pub(super) now: Timestamp,
    pub(super) terminal: Terminal,
    pub(super) program: &'a str,
}

impl Answer<'_> {
    pub(super) fn text(&self) -> String {
        if self.obeyed { self.done() } else { self.undone() }
    }

    fn done(&self) -> String {
        let name = self.order.name_any();
        let status = self.order.status.clone().unwrap_or_default();
        let until = status
            .until
            .as_ref()
            .map(|until| format!(" until {} (for {})", until.0.strftime("%H:%M:%SZ"), ago::until(until, self.now)));
        let what = action(self.order.spec.action, self.order.spec.replicas);
        let mut text = format!("{}: {what}{}\n", self.terminal.paint(Tone::Good, "obeyed"), until.unwrap_or_default());
        if let Some(message) = &status.message {
            text += &self.line(Tone::Odd, message);
        }
        let floor = |policy: Option<&ScalingPolicy>| Some(policy?.status.as_ref()?.floor.as_ref()?.replicas);
        let current = self.policy.and_then(|policy| policy.status.as_ref()?.replicas.as_ref()).map(|pods| pods.current);
        if let (Some(was), Some(is)) = (floor(self.before), floor(self.policy)) {
            let pods = current.map_or_else(String::new, |current| format!(", {current} replicas"));
            text += &self.line(Tone::Plain, &format!("floor {was} before, {is} now{pods}"));
        } else if !status.applied_to.is_empty() {
            text += &self.line(Tone::Plain, &format!("it applies to {}", status.applied_to.join(", ")));
        }
        let in_force = self.policy.and_then(|policy| policy.status.as_ref()?.in_force.as_ref());
        if let Some(other) = in_force.filter(|other| other.name != name) {
            let said = format!(
                "FloorOverride {} comes first (Pin before Release before Freeze; of two of a kind the newest): end it by \
                 `{} override --end {} -n {}`",
                other.name,
                self.program,
                other.name,
                self.namespace()
            );
            text += &self.line(Tone::Odd, &said);
        }
        if self.policy.is_some_and(|policy| policy.spec.mode == Mode::Observe) {
            text += &self
                .line(Tone::Odd, "the policy is in mode Observe: the order changes what it reports, and nothing else");
        }
        if self.order.spec.action == OverrideAction::Release {
            text += &self.line(Tone::Plain, "replicas come down when the HPA says so, by its own metrics");
        }
        text + &self.line(Tone::Dim, &format!("end it: {} override --end {name} -n {}", self.program, self.namespace()))
    }

    fn undone(&self) -> String {
        if self.waited.is_zero() {
            return String::new();
        }
        let waited = ago::length(i64::try_from(self.waited.as_secs()).unwrap_or(i64::MAX));
        let mut text = format!("{} within {waited}\n", self.terminal.paint(Tone::Bad, "NOT obeyed"));
        text += &self.line(Tone::Bad, &format!("{}.", self.heart.sentence(self.now)));
        if self.heart.alive() == Some(true) {
            let said = "It lives and does not obey: its log says why (kubectl logs -n floorkeeper-system deploy/floorkeeper); \
                        see also the policy's condition Ready.";
            return text + &self.line(Tone::Plain, said);
        }
        text += &self.line(Tone::Plain, &format!("{DEAD}."));
        let stays = "The order stays, and is obeyed when floorkeeper is back, unless it has ended by then.";
        text += &self.line(Tone::Plain, stays);
        text + &self.by_hand()
    }

    /// What a person can do without floorkeeper.
    fn by_hand(&self) -> String {
        let (Some(policy), Some(way)) = (self.policy, self.way) else { return String::new() };
        let namespace = self.namespace();
        let mut commands = Vec::new();
        let mut says = Vec::new();
        let scaler = way.scaler.as_ref();
        if let Some(scaler) = scaler {
            let Bounds { min, max } = scaler.bounds;
            says.push(format!("What holds now: {} keeps {min} replicas at least and {max} at most.", scaler.says()));
        }
        let kept = scaler.and_then(|scaler| scaler.kept);
        let owner = kept.map(|kept| kept.original.min);
        let (minimum, maximum) = scaler.map_or(("", ""), |scaler| (scaler.minimum(), scaler.maximum()));
        let (bounds, replicas) = match (self.order.spec.action, self.order.spec.replicas) {
            (OverrideAction::Freeze, _) => {
                says.push("Nothing lowers a floor while floorkeeper is dead: what you ordered is so.".to_owned());
                (None, None)
            }
            (OverrideAction::Release, _) => {
                let least = owner.map_or_else(|| "N".to_owned(), |min| min.to_string());
                (Some(format!("{{\"{minimum}\":{least}}}")), way.enforced.then_some(least))
            }
            (OverrideAction::Pin, replicas) => {
                let count = replicas.map_or_else(|| "N".to_owned(), |count| count.to_string());
                (Some(format!("{{\"{minimum}\":{count},\"{maximum}\":{count}}}")), Some(count))
            }
        };
        if let (Some(bounds), Some(scaler)) = (bounds, scaler) {
            let place = format!("{} {} -n {namespace}", scaler.resource(), scaler.name());
            commands.push(format!("kubectl patch {place} --type=merge -p '{{\"spec\":{bounds}}}'"));
            if self.order.spec.action == OverrideAction::Release && kept.is_some_and(|kept| kept.awake) {
                commands.push(format!("kubectl annotate {place} {}-", keda::FORCE_ACTIVATION));
            }
        }
        if let Some(replicas) = replicas {
            let target = &policy.spec.target_ref;
            let glass = if way.enforced { BREAK_GLASS } else { "" };
            let kind = target.kind.to_lowercase();
            commands.push(format!("kubectl scale {kind}/{} -n {namespace} --replicas={replicas}{glass}", target.name));
        }
        if !commands.is_empty() {
            says.push("The way out by hand:".to_owned());
        }
        let mut text: String = says.iter().map(|said| self.line(Tone::Plain, said)).collect();
        // Commands are copied: never wrapped.
        text.extend(commands.iter().map(|command| format!("    {command}\n")));
        if way.enforced && !commands.is_empty() {
            let said = "The API server keeps floors in this namespace: a write below them has to say that it is meant, by the \
                        group floorkeeper.dev:break-glass (the role floorkeeper-break-glass lets you).";
            text += &self.line(Tone::Plain, said);
        }
        text
    }

    fn namespace(&self) -> String {
        self.order.namespace().unwrap_or_default()
    }

    fn line(&self, tone: Tone, text: &str) -> String {
        format!("  {}\n", self.terminal.paint(tone, &self.terminal.wrapped(text, 2)))
    }
}

/// Below a floor that the API server keeps, with floorkeeper dead.
const BREAK_GLASS: &str = " --as=floorkeeper.dev:break-glass --as-group=floorkeeper.dev:break-glass";
