//! The story of one floor, in the order in which a person asks at night. Pure.

use floorkeeper_core::{Idle, Trust};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::api::conditions::{CONTESTED, ENFORCED, FLOOR_HOLDING, READY, SCALING_LIMITED, TRUSTED};
use crate::api::{
    ActionKind, FloorRow, Mode, OverrideAction, ScalingPolicy, ScalingPolicyStatus, SignalStatus, TrustLevel,
};
use crate::cli::ago;
use crate::cli::enforced::{Keeper, keeper};
use crate::cli::heartbeat::{DEAD, Heart};
use crate::cli::scalers::Found;
use crate::cli::terminal::{Cell, Terminal, Tone};
use crate::words;

/// All that is known of one floor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Story<'a> {
    pub(super) policy: &'a ScalingPolicy,
    pub(super) row: Option<&'a FloorRow>,
    pub(super) scaler: Option<&'a Found>,
    pub(super) heart: &'a Heart,
    pub(super) now: Timestamp,
    pub(super) terminal: Terminal,
    pub(super) program: &'a str,
}

impl Story<'_> {
    pub(super) fn text(&self) -> String {
        let mut text = self.head();
        let Some(status) = self.policy.status.as_ref().filter(|status| status.floor.is_some()) else {
            text += "floorkeeper has not decided anything about it yet.\n";
            if let Some(ready) = self.policy.status.as_ref().and_then(|status| find(status, READY)) {
                text += &self.item(Tone::Bad, &ready.message);
            }
            return text;
        };
        text += &self.numbers(status);
        text += &self.wrong(status);
        text += &self.bids(status);
        text += &self.load(status);
        text += &self.learned(status);
        text += &self.fall(status);
        text += &self.price(status);
        text += &self.actions(status);
        text + &self.commands()
    }

    /// Who, and how old what is read here is if nobody keeps it up to date.
    fn head(&self) -> String {
        let Self { policy, now, terminal, heart, .. } = self;
        let target = &policy.spec.target_ref;
        let (namespace, name) = self.names();
        let mode = match policy.spec.mode {
            Mode::Observe => "Observe (decides and reports only)",
            Mode::Guard => "Guard",
            Mode::Autoscale => "Autoscale",
        };
        let title = terminal.paint(Tone::Bold, &format!("{namespace}/{name}"));
        let mut text = format!("{title}  {} {}, mode {mode}\n", target.kind, target.name);
        let age = self.age();
        let (said, tone) = match heart.alive() {
            Some(true) => return text,
            Some(false) => (format!("{}. {DEAD}{age}.", heart.sentence(*now)), Tone::Bad),
            None => (format!("{}{age}.", heart.sentence(*now)), Tone::Odd),
        };
        text += &format!("{}\n", terminal.paint(tone, &terminal.wrapped(&said, 0)));
        text
    }

    fn age(&self) -> String {
        let entries = self.policy.metadata.managed_fields.iter().flatten();
        let ours = entries.filter(|entry| entry.subresource.as_deref() == Some("status"));
        let written = ours.filter_map(|entry| entry.time.clone()).max_by_key(|time| time.0);
        written.map_or_else(String::new, |at| format!(" (the status was written {} ago)", ago::since(&at, self.now)))
    }

    /// How much, how sure.
    fn numbers(&self, status: &ScalingPolicyStatus) -> String {
        let Self { now, terminal, .. } = self;
        let Some(floor) = &status.floor else { return String::new() };
        let need = status.demand.as_ref().and_then(|demand| demand.need);
        let need = need.map_or_else(|| "the need is not known".to_owned(), |need| format!("the load needs {need}"));
        let pods = match status.replicas.as_ref().map(|pods| (pods.current, pods.ready)) {
            Some((current, Some(ready))) => format!("{current} replicas, {ready} ready"),
            Some((current, None)) => format!("{current} replicas"),
            None => "its pods were not seen".to_owned(),
        };
        let since = ago::since(&floor.since, *now);
        let floor = format!("floor {}", floor.replicas);
        let rest = terminal.wrapped(&format!("{floor} for {since}, {need}, {pods}{}", self.bounds()), 0);
        let rest = rest.strip_prefix(&floor).unwrap_or_default();
        let mut text = format!("{}{rest}\n", terminal.paint(Tone::Bold, &floor));
        if let Some((trust, tone)) = status.demand.as_ref().map(|demand| level(demand.trust)) {
            let since = find(status, TRUSTED).map(|trusted| ago::since(&trusted.last_transition_time, *now));
            let since = since.map_or_else(String::new, |since| format!(" for {since}"));
            let why = status.why.as_deref().unwrap_or_default();
            text += &format!("{}{since}; why: {why}", terminal.paint(tone, trust));
        }
        let (keeper, reason) = keeper(status);
        let kept = match keeper {
            Keeper::ApiServer => format!("; the API server keeps the floor too ({reason})"),
            Keeper::Floorkeeper => format!("; floorkeeper alone keeps the floor ({reason})"),
            Keeper::Astray => format!("; floorkeeper alone keeps the floor, the API server should ({reason})"),
            Keeper::Open => String::new(),
        };
        if self.policy.spec.mode != Mode::Observe {
            text += &kept;
        }
        text.push('\n');
        text
    }

    fn bounds(&self) -> String {
        let Some(scaler) = self.scaler else { return String::new() };
        let own = scaler.kept.map_or_else(String::new, |kept| format!(" (its owner's minimum: {})", kept.original.min));
        let idle = match scaler.idle {
            Some(Idle { replicas, awake: true }) => format!(", kept from idling at {replicas}"),
            Some(Idle { replicas, awake: false }) => format!(", idles at {replicas}"),
            None => String::new(),
        };
        format!("; {}: {} to {}{own}{idle}", scaler.says(), scaler.bounds.min, scaler.bounds.max)
    }

    /// What is wrong apart from doubt.
    fn wrong(&self, status: &ScalingPolicyStatus) -> String {
        let alarms = [
            (READY, "False", Tone::Bad),
            (SCALING_LIMITED, "True", Tone::Bad),
            (CONTESTED, "True", Tone::Odd),
            (ENFORCED, "False", Tone::Odd),
            (ENFORCED, "Unknown", Tone::Odd),
        ];
        let mut text = String::new();
        for (kind, value, tone) in alarms {
            let Some(found) = find(status, kind).filter(|found| found.status == value) else { continue };
            if kind == ENFORCED && (keeper(status).0 != Keeper::Astray || self.policy.spec.mode == Mode::Observe) {
                continue;
            }
            let since = ago::since(&found.last_transition_time, self.now);
            text += &self.item(tone, &format!("{} for {since}: {}", found.reason, found.message));
        }
        if let Some(order) = &status.in_force {
            let action = match order.action {
                OverrideAction::Freeze => "Freeze, nothing is lowered",
                OverrideAction::Release => "Release, the static minimum only",
                OverrideAction::Pin => "Pin, exactly so many",
            };
            let left = ago::until(&order.until, self.now);
            let end = format!("{} override --end {} -n {}", self.program, order.name, self.names().0);
            let said = format!("FloorOverride {} is in force: {action}; over in {left}, or by `{end}`", order.name);
            text += &self.item(Tone::Odd, &said);
        }
        if text.is_empty() { text } else { self.section("WHAT IS OUT OF THE ORDINARY", &text) }
    }

    fn bids(&self, status: &ScalingPolicyStatus) -> String {
        let Some(floor) = &status.floor else { return String::new() };
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        let mut told = false;
        for bid in &status.bids {
            let wins = !told && bid.guard == floor.reason;
            told |= wins;
            rows.push(bid_row(&bid.guard, bid.replicas, wins));
        }
        if !told {
            // Not lowered yet: what stands is more than anybody asks for now.
            rows.insert(0, bid_row(&floor.reason, floor.replicas, true));
        }
        self.section("WHY THIS FLOOR: the largest bid counts", &self.terminal.table(&["", "", "", ""], &rows))
    }

    fn load(&self, status: &ScalingPolicyStatus) -> String {
        let Some(demand) = &status.demand else { return String::new() };
        let text: String = demand.signals.iter().map(|signal| self.signal(signal)).collect();
        if text.is_empty() { text } else { self.section("LOAD", &text) }
    }

    fn signal(&self, signal: &SignalStatus) -> String {
        let at = signal.observed_at.as_ref().map(|at| format!(", sampled at {}", clock(at))).unwrap_or_default();
        let load = signal.load.as_ref().map(|load| format!("{load} a second"));
        let need = signal.need.map(|need| format!(", needs {need}")).unwrap_or_default();
        let carries = match (&signal.capacity_estimate, self.capacity(&signal.name)) {
            (_, Some(capacity)) => format!(" (one replica carries {capacity})"),
            (Some(estimate), None) => format!(" (no capacity is set; one replica carries {estimate} now)"),
            (None, None) => String::new(),
        };
        let (tone, said) = match (&signal.why, load) {
            (Some(why), Some(load)) => (Tone::Bad, format!("unknown, at least {load}{need}: {why}")),
            (Some(why), None) => (Tone::Bad, format!("unknown: {why}")),
            (None, Some(_)) if signal.reading == "ConfirmedZero" => (Tone::Plain, format!("a confirmed zero{at}")),
            (None, Some(load)) => (Tone::Plain, format!("{load}{need}{carries}{at}")),
            (None, None) => (Tone::Plain, signal.reading.clone()),
        };
        self.item(tone, &format!("{}: {said}", signal.name))
    }

    fn capacity(&self, name: &str) -> Option<String> {
        let demand = self.policy.spec.demand.as_ref()?;
        let own = demand.signals.iter().find(|signal| signal.name == name).and_then(|signal| signal.capacity.as_ref());
        own.or(demand.capacity.as_ref()).map(ToString::to_string)
    }

    fn learned(&self, status: &ScalingPolicyStatus) -> String {
        let Some(learned) = &status.learned else { return String::new() };
        let mut text = String::new();
        if let Some(days) = learned.days {
            let mut said = format!("{days} days are known");
            if let Some(percent) = learned.within_hour_percent {
                said += &format!("; within an hour at least {percent} % of the peak is usually left");
            }
            if let Some(needs) = learned.hour_needs {
                said += &format!("; this hour usually needs {needs}");
            }
            if let Some(below) = learned.unusual_below {
                said += &format!("; a need below {below} is an unusual fall");
            }
            let (namespace, name) = self.names();
            text += &self.item(Tone::Plain, &said);
            text += &self.item(Tone::Dim, &format!("{} explain {name} -n {namespace} --history", self.program));
        }
        if let Some(note) = &learned.note {
            text += &self.item(Tone::Odd, note);
        }
        if text.is_empty() { text } else { self.section("WHAT ITS PAST SAYS, as of the last status", &text) }
    }

    fn fall(&self, status: &ScalingPolicyStatus) -> String {
        let mut text = String::new();
        if status.demand.as_ref().is_some_and(|demand| demand.trust == TrustLevel::Blind) {
            text += &self.item(Tone::Bad, words::trust(Trust::Blind));
        }
        for doubt in &status.doubts {
            text += &self.item(Tone::Odd, &format!("{}: {}", doubt.reason, doubt.says));
        }
        let hold = find(status, FLOOR_HOLDING).filter(|found| found.status == "True");
        let told = hold.is_some_and(|hold| status.doubts.iter().any(|doubt| doubt.reason == hold.reason));
        if let Some(hold) = hold.filter(|_| !told) {
            text += &self.item(Tone::Odd, &format!("{}: {}", hold.reason, hold.message));
        }
        if text.is_empty() {
            let reason = status.floor.as_ref().map_or("", |floor| floor.reason.as_str());
            if let Some(guard) = words::guard_named(reason) {
                text += &self.item(Tone::Plain, &format!("nothing holds it; {reason} {}", words::falls(guard)));
            }
        }
        if let Some(onset) = self.row.and_then(|row| row.doubt) {
            let millis = i64::try_from(onset.since.0.0).unwrap_or(i64::MAX);
            let at = Time(Timestamp::from_millisecond(millis).unwrap_or(self.now));
            let since = ago::since(&at, self.now);
            let said =
                format!("in doubt for {since}, since {}; {} replicas held from then on", clock(&at), onset.replicas);
            text += &self.item(Tone::Plain, &said);
        }
        if let Some(zero) = &status.zero_in {
            let said = format!("if the load is truly zero from now on, it is at its minimum within {zero}");
            text += &self.item(Tone::Plain, &said);
        }
        self.section("WHAT WOULD LET IT FALL", &text)
    }

    fn price(&self, status: &ScalingPolicyStatus) -> String {
        let Some(price) = status.price.as_ref().filter(|price| price.replicas > 0) else { return String::new() };
        let since = price.since.as_ref().map(|since| format!(", for {}", ago::since(since, self.now)));
        let since = since.unwrap_or_default();
        let text = format!("{} replicas above what the load alone would ask for{since}", price.replicas);
        self.section("PRICE", &self.item(Tone::Plain, &text))
    }

    fn actions(&self, status: &ScalingPolicyStatus) -> String {
        let rows = status.last_actions.iter().take(ACTIONS).map(|action| {
            let did = match action.action {
                ActionKind::Raised => "raised",
                ActionKind::Lowered => "lowered",
                ActionKind::Undone => "put back",
                ActionKind::TakenBack => "step taken back",
            };
            vec![
                Cell::plain(format!("  {} ago", ago::since(&action.at, self.now))),
                Cell::plain(did),
                Cell::plain(format!("{} to {}", action.from, action.to)),
                Cell::plain(action.reason.clone()),
            ]
        });
        let rows: Vec<Vec<Cell>> = rows.collect();
        if rows.is_empty() {
            return String::new();
        }
        self.section("WHAT FLOORKEEPER DID LAST", &self.terminal.table(&["", "", "", ""], &rows))
    }

    /// What to type; floorkeeper obeys at once, and only while it lives.
    fn commands(&self) -> String {
        let (namespace, name) = self.names();
        let order = format!("  {} override {name} -n {namespace} --reason WHY", self.program);
        let mut text = String::new();
        if self.heart.alive() == Some(false) {
            text +=
                &self.item(Tone::Odd, "nobody obeys these until floorkeeper is back; they say what to do meanwhile");
        }
        text += &format!(
            "{order} --release   down to the minimum\n\
             {order} --freeze    nothing is lowered\n\
             {order} --pin N     exactly N\n"
        );
        self.section("IF YOU KNOW BETTER: an order for 30 minutes, or --for", &text)
    }

    fn names(&self) -> (&str, &str) {
        let metadata = &self.policy.metadata;
        (metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref().unwrap_or_default())
    }

    fn section(&self, title: &str, text: &str) -> String {
        format!("\n{}\n{text}", self.terminal.paint(Tone::Bold, title))
    }

    fn item(&self, tone: Tone, text: &str) -> String {
        let text = self.terminal.wrapped(text, INDENT);
        format!("{}{}\n", " ".repeat(INDENT), self.terminal.paint(tone, &text))
    }
}

fn bid_row(guard: &str, replicas: i32, wins: bool) -> Vec<Cell> {
    let says = words::guard_named(guard).map(words::guard).unwrap_or_default();
    let tone = if wins { Tone::Bold } else { Tone::Plain };
    vec![
        Cell::plain(if wins { " >" } else { "" }),
        Cell::number(Some(replicas)).toned(tone),
        Cell::new(tone, guard),
        Cell::plain(says),
    ]
}

fn level(trust: TrustLevel) -> (&'static str, Tone) {
    match trust {
        TrustLevel::Trusted => ("Trusted", Tone::Good),
        TrustLevel::Doubtful => ("Doubtful", Tone::Odd),
        TrustLevel::Blind => ("Blind", Tone::Bad),
    }
}

fn find<'a>(status: &'a ScalingPolicyStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == kind)
}

/// `01:36:00Z`: how many days ago, the ages beside it say.
fn clock(at: &Time) -> String {
    at.0.strftime("%H:%M:%SZ").to_string()
}

/// One screen is 24 lines; older ones are in the events.
const ACTIONS: usize = 4;

const INDENT: usize = 2;
