//! Results for people: who had too few replicas in which incident, what each costs, and the two headline numbers.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use floorkeeper_replay::{Run, Scaler, class_name};
use floorkeeper_sim::scenario::Class;

/// Fits 120 columns.
pub(super) fn render(runs: &[Run], scalers: &[Scaler]) -> String {
    let mut text = String::new();
    let mut names: Vec<&str> = runs.iter().map(|run| run.scenario.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() == 1 {
        one(&mut text, runs);
    } else {
        matrix(&mut text, runs, scalers);
        headline(&mut text, runs, scalers);
    }
    text
}

/// Every measure of one scenario.
fn one(text: &mut String, runs: &[Run]) {
    let Some(first) = runs.first() else { return };
    line(text, format_args!("{} ({}), trace {}", first.scenario, class_name(first.class), first.trace));
    line(
        text,
        format_args!(
            "{:<31} {:<11} {:>4} {:>7} {:>6} {:>6} {:>7} {:>6} {:>8} {:>7} {:>6}",
            "scaler", "policy", "seed", "unsafe", "unmet", "short", "longest", "kept", "replica-", "over", ""
        ),
    );
    line(
        text,
        format_args!(
            "{:<31} {:<11} {:>4} {:>7} {:>6} {:>6} {:>7} {:>6} {:>8} {:>7} {:>6}",
            "", "", "", "minutes", "%", "at most", "s", "%", "hours", "oracle", "passed"
        ),
    );
    for run in runs {
        let kept = run.kept_at_return_percent.map_or_else(|| "-".to_owned(), |kept| format!("{kept:.0}"));
        line(
            text,
            format_args!(
                "{:<31} {:<11.11} {:>4} {:>7.1} {:>6.1} {:>6} {:>7.0} {kept:>6} {:>8.1} {:>6.1}% {:>6}",
                run.scaler,
                run.policy,
                run.seed,
                run.unsafe_minutes,
                run.unmet_percent,
                run.deficit_max,
                run.restore_seconds,
                run.replica_hours,
                run.extra_over_oracle_percent,
                if run.passed { "yes" } else { "no" }
            ),
        );
    }
}

/// Unsafe minutes, one row a scenario, one column a scaler: the mean over policies, traces and seeds.
fn matrix(text: &mut String, runs: &[Run], scalers: &[Scaler]) {
    line(text, format_args!("Minutes with too few replicas (mean of a run; ! a pass condition of floorkeeper broken)"));
    let mut head = format!("{:<20}", "");
    for scaler in scalers {
        let _ = write!(head, "{:>8}", short(*scaler));
    }
    line(text, format_args!("{head}"));
    let mut order: Vec<(String, Class)> = Vec::new();
    let mut cells: BTreeMap<(String, &str), Cell> = BTreeMap::new();
    for run in runs {
        let row = row_of(run);
        if !order.iter().any(|(name, _)| *name == row) {
            order.push((row.clone(), run.class));
        }
        cells.entry((row, run.scaler.as_str())).or_default().add(run);
    }
    for (row, class) in order {
        let mut cols = format!("{row:<10.10} {:<9.9}", class_name(class));
        for scaler in scalers {
            let shown = cells.get(&(row.clone(), scaler.name())).map_or_else(String::new, |cell| {
                let mark = if scaler.is_floorkeeper() && cell.passed < cell.runs { "!" } else { "" };
                format!("{}{mark}", brief(cell.mean_unsafe()))
            });
            let _ = write!(cols, "{shown:>8}");
        }
        line(text, format_args!("{cols}"));
    }
    line(text, format_args!(""));
}

/// The two numbers, and what else each class is judged by.
fn headline(text: &mut String, runs: &[Run], scalers: &[Scaler]) {
    line(
        text,
        format_args!(
            "{:<32}{:>14}{:>10}{:>14}{:>10}{:>14}{:>16}",
            "", "unsafe min.", "passed", "unsafe min.", "kept, %", "unsafe min.", "extra hours"
        ),
    );
    line(
        text,
        format_args!(
            "{:<32}{:>14}{:>10}{:>14}{:>10}{:>14}{:>16}",
            "", "lying signals", "", "true dips", "median", "no faults", "no faults, %"
        ),
    );
    for scaler in scalers {
        let of = |class: Class| {
            let mut cell = Cell::default();
            runs.iter().filter(|run| run.class == class && run.scaler == scaler.name()).for_each(|run| cell.add(run));
            cell
        };
        let (lying, dip, free) = (of(Class::Lying), of(Class::Dip), of(Class::FaultFree));
        let passed = lying.passed + dip.passed + free.passed;
        let all = lying.runs + dip.runs + free.runs;
        let kept = dip.median_kept().map_or_else(|| "-".to_owned(), |kept| format!("{kept:.0}"));
        let minutes = |cell: &Cell| match cell.runs {
            0 => "-".to_owned(),
            _ => format!("{:.1}", cell.unsafe_minutes),
        };
        let extra = free.extra().map_or_else(|| "-".to_owned(), |extra| format!("+{extra:.1}"));
        line(
            text,
            format_args!(
                "{scaler:<32}{:>14}{:>10}{:>14}{kept:>10}{:>14}{extra:>16}",
                minutes(&lying),
                format!("{passed}/{all}"),
                minutes(&dip),
                minutes(&free)
            ),
        );
    }
    line(text, format_args!(""));
    line(
        text,
        format_args!(
            "Extra hours are over an oracle that knows the future and keeps no headroom. Neither number counts alone: who\n\
             always runs at peak is never short, who runs nothing pays nothing."
        ),
    );
}

/// Several runs in one place of a table.
#[derive(Clone, Debug, Default)]
struct Cell {
    runs: u32,
    passed: u32,
    unsafe_minutes: f64,
    hours: f64,
    oracle: f64,
    kept: Vec<f64>,
}

impl Cell {
    fn add(&mut self, run: &Run) {
        self.runs += 1;
        self.passed += u32::from(run.passed);
        self.unsafe_minutes += run.unsafe_minutes;
        self.hours += run.replica_hours;
        self.oracle += run.replica_hours / (1.0 + run.extra_over_oracle_percent / 100.0).max(f64::MIN_POSITIVE);
        self.kept.extend(run.kept_at_return_percent);
    }

    fn mean_unsafe(&self) -> f64 {
        self.unsafe_minutes / f64::from(self.runs.max(1))
    }

    fn extra(&self) -> Option<f64> {
        (self.oracle > 0.0).then(|| 100.0 * (self.hours / self.oracle - 1.0))
    }

    fn median_kept(&self) -> Option<f64> {
        let mut kept = self.kept.clone();
        kept.sort_by(f64::total_cmp);
        kept.get(kept.len() / 2).copied()
    }
}

/// Compositions share a row by class, variants that of their scenario.
fn row_of(run: &Run) -> String {
    let composed = run.scenario.starts_with('R') && run.scenario[1..].chars().all(|c| c.is_ascii_digit());
    if composed { "random".to_owned() + &" ".repeat(run.class as usize) } else { base(&run.scenario).to_owned() }
}

fn base(scenario: &str) -> &str {
    scenario.split_once('/').map_or(scenario, |(base, _)| base)
}

/// Three places at most.
fn brief(minutes: f64) -> String {
    match minutes {
        0.0 => ".".to_owned(),
        minutes if minutes < 10.0 => format!("{minutes:.1}"),
        minutes => format!("{minutes:.0}"),
    }
}

fn short(scaler: Scaler) -> &'static str {
    match scaler {
        Scaler::Floorkeeper => "floork.",
        Scaler::FloorkeeperGuard => "guard",
        Scaler::HpaCpu => "hpa-cpu",
        Scaler::HpaLoad => "hpa-ld",
        Scaler::Keda => "keda",
        Scaler::KedaNullError => "k-null",
        Scaler::KedaFallback => "k-fallb",
        Scaler::KedaFallbackCurrentIfHigher => "k-high",
        Scaler::Tortoise => "tortse",
        Scaler::Estafette => "estaft",
        Scaler::StaticPeak => "static",
        Scaler::Oracle => "oracle",
    }
}

fn line(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a String can't fail.
    let _ = writeln!(text, "{what}");
}
