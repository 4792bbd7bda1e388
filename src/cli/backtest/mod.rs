//! `floorkeeper backtest`: what the floor would have been over your own history, and which policy that history asks for.

mod ask;
mod cache;
mod fetch;
mod input;
mod json;
mod page;
mod policy;
mod progress;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use floorkeeper_core::Policy;
use floorkeeper_replay::Scaler;
use floorkeeper_replay::backtest::{Backtest, Field, Fit, Fitted, History, Judged, Setting, Terms};

use input::Input;

/// Plays your own history in virtual time: what floorkeeper would have done, and what the policy should say.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Plays the offered load of your own past in virtual time: what floorkeeper's floor would have been, beside what \
replicas really were and what other autoscalers would have done; how often it would have held, and at what price. Then \
it fits capacity, headroom, window, halfLife and unusualFall to that history, plays it again with them, and prints a policy \
that can be applied, with the evidence for each value.\n\n\
The history comes from a CSV file (header `time,rps` or `time,rps,replicas`; an empty field is unknown, never zero) or from \
a Prometheus server. Answers of the server are kept in a file: after Ctrl-C, or with another policy, the same range is not \
asked for again.\n\n\
What it can't say: history has the load, seldom its errors. docs/backtest.md has the rules and the limits.",
    after_help = "Examples:
  floorkeeper backtest --policy web.yaml --trace traffic.csv
  floorkeeper backtest --policy web.yaml --prometheus http://localhost:9090 --from 14d
  floorkeeper backtest --policy web.yaml --prometheus https://mimir.example.com/prometheus --from 2026-10-01 --to 2026-11-01 \\
      --header 'X-Scope-OrgID: shop' --bearer-token-file token --format html --out backtest.html
  floorkeeper backtest --policy web.yaml --trace traffic.csv --policy-out better.yaml && floorkeeper check better.yaml",
    group(clap::ArgGroup::new("history").required(true).args(["trace", "prometheus"]))
)]
pub(crate) struct Args {
    /// File with one ScalingPolicy and, if its queries are to be used, the MetricSource that it reads.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,

    /// CSV: `time,rps` or `time,rps,replicas`; time in RFC 3339 or seconds since 1970.
    #[arg(long, value_name = "FILE.csv")]
    trace: Option<PathBuf>,

    #[command(flatten)]
    server: ask::Server,

    /// Load that one replica carries safely, a second. Left out: the policy's.
    #[arg(long, value_name = "LOAD")]
    capacity: Option<f64>,

    /// The scaler's minimum, where the policy leaves it to the scaler. Left out: 1.
    #[arg(long, value_name = "REPLICAS")]
    min: Option<u32>,

    /// The scaler's maximum, where the policy leaves it to the scaler. Left out: twice what the highest load needs.
    #[arg(long, value_name = "REPLICAS")]
    max: Option<u32>,

    /// From a pod's creation until it is ready, for example 45s or 2m.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = ask::span)]
    pod_start: Duration,

    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    /// Write the result to this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Write the suggested policy to this file, too.
    #[arg(long, value_name = "FILE")]
    policy_out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people, the suggested policy at the end
    Table,
    /// One JSON object
    Json,
    /// One self-contained page with a chart
    Html,
}

/// Everything that is told.
struct Outcome<'a> {
    input: &'a Input,
    history: &'a History,
    /// What was assumed, in sentences.
    assumed: Vec<String>,
    terms: Terms,
    now: Judged,
    fitted: Vec<Fitted>,
    /// The same history with the suggestions.
    then: Judged,
    /// The suggested policy as YAML.
    yaml: String,
}

impl Args {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let input = match Input::read(&self.policy) {
            Ok(input) => input,
            Err(input::Refused::Checked(report)) => {
                eprint!("{report}");
                return Ok(ExitCode::FAILURE);
            }
            Err(input::Refused::Other(error)) => return Err(error),
        };
        let history = match &self.trace {
            Some(path) => from_file(path)?,
            None => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock stands before 1970")?;
                fetch::history(&self.server, &input, self.out.as_deref(), now.as_secs())?
            }
        };
        let outcome = self.play(&input, &history)?;
        if let Some(path) = &self.policy_out {
            std::fs::write(path, &outcome.yaml).with_context(|| format!("can't write {}", path.display()))?;
        }
        let text = match self.format {
            Format::Table => table::render(&outcome),
            Format::Json => json::render(&outcome)?,
            Format::Html => page::render(&outcome),
        };
        match &self.out {
            Some(path) => std::fs::write(path, text).with_context(|| format!("can't write {}", path.display()))?,
            None => super::print(text.as_bytes())?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn play<'a>(&self, input: &'a Input, history: &'a History) -> anyhow::Result<Outcome<'a>> {
        let start_delay = self.pod_start.as_secs_f64() / 60.0;
        let known = self.capacity.or(input.capacity);
        if let Some(capacity) = known.filter(|capacity| !(capacity.is_finite() && *capacity > 0.0)) {
            bail!("--capacity {capacity}: write the load a second that one replica carries safely, above zero");
        }
        let mut fitted = Fit { history, policy: &input.policy, capacity: known, start_delay }.all();
        let Some(Setting::Load(capacity)) =
            fitted.iter().find(|fitted| fitted.field == Field::Capacity).map(|fitted| fitted.value)
        else {
            bail!(
                "the policy has no capacity, and the history no replicas to estimate it from: give --capacity, or a third column \
                 `replicas`"
            );
        };
        let mut assumed = Vec::new();
        if known.is_none() {
            assumed.push(format!("capacity {capacity} is an estimate from the history"));
        }
        let terms = self.terms(input, history, capacity, start_delay, &mut assumed);
        let now = play(input, &input.policy, history, terms)?;
        let then = prove(input, history, terms, &now, &mut fitted)?;
        let yaml = policy::render(input, &fitted, history, &now, &then)?;
        Ok(Outcome { input, history, assumed, terms, now, fitted, then, yaml })
    }

    fn terms(
        &self,
        input: &Input,
        history: &History,
        capacity: f64,
        start_delay: f64,
        assumed: &mut Vec<String>,
    ) -> Terms {
        let policy = &input.policy;
        let headroom = 1.0 + f64::from(policy.headroom_percent) / 100.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, as it should")]
        let most_needed = (history.peak() * headroom / capacity).ceil() as u32;
        let min = self.min.or(policy.min_replicas).unwrap_or_else(|| {
            assumed.push("the scaler's minimum is 1 (--min)".to_owned());
            1
        });
        let max = self.max.or(policy.max_replicas).unwrap_or_else(|| {
            let max = most_needed.saturating_mul(2).max(2);
            assumed.push(format!("the scaler's maximum is {max}, twice what the highest load needs (--max)"));
            max
        });
        if policy.signals.len() > 1 {
            assumed.push(format!(
                "the policy has {} signals, the history one load: every signal reads it, with the first one's capacity",
                policy.signals.len()
            ));
        }
        if most_needed > max {
            assumed.push(format!(
                "the highest load needs {most_needed} replicas with headroom, the maximum is {max}: what is above it is nobody's \
                 fault here, and yours to raise"
            ));
        }
        if history.step() > 60.0 {
            assumed.push(format!(
                "between samples, {} apart, the load goes in straight lines: what it did there is not known",
                table::span(history.step() / 60.0)
            ));
        }
        let start = crate::words::duration(self.pod_start);
        assumed.push(format!("a pod is ready {start} after its creation (--pod-start)"));
        Terms { capacity, min: min.min(max), max, headroom_percent: policy.headroom_percent, start_delay }
    }
}

/// Plays the suggestions. A rule for the headroom can miss what playing shows: it is raised until the history is no less
/// safe with it than before.
fn prove(
    input: &Input,
    history: &History,
    terms: Terms,
    now: &Judged,
    fitted: &mut [Fitted],
) -> anyhow::Result<Judged> {
    let unsafe_minutes = |judged: &Judged| judged.runs.first().map_or(0.0, |run| run.unsafe_minutes);
    let (mut raised_from, mut worst) = (None, 0.0);
    loop {
        let policy = policy::with(&input.policy, fitted);
        let terms = Terms { headroom_percent: policy.headroom_percent, ..terms };
        let then = play(input, &policy, history, terms)?;
        let percent = policy.headroom_percent;
        let headroom = fitted.iter_mut().find(|fitted| fitted.field == Field::HeadroomPercent);
        let (Some(headroom), true) = (headroom, unsafe_minutes(&then) > unsafe_minutes(now)) else { return Ok(then) };
        if percent >= MOST_HEADROOM {
            return Ok(then);
        }
        let from = *raised_from.get_or_insert(percent);
        worst = unsafe_minutes(&then).max(worst);
        headroom.value = Setting::Percent(percent + 5);
        let rule = headroom.evidence.split(RAISED).next().unwrap_or_default().to_owned();
        headroom.evidence = format!(
            "{rule}{RAISED} from {from}, with which playing this history was unsafe for {}",
            table::span(worst)
        );
    }
}

fn play(input: &Input, policy: &Policy, history: &History, terms: Terms) -> anyhow::Result<Judged> {
    let backtest = Backtest { history, policy, terms, name: &input.name, scalers: SCALERS };
    Ok(backtest.play()?)
}

fn from_file(path: &Path) -> anyhow::Result<History> {
    let size = std::fs::metadata(path).with_context(|| format!("can't read {}", path.display()))?.len();
    if size > LARGEST {
        bail!("{} is larger than {} MiB: cut it, or sample it more coarsely", path.display(), LARGEST >> 20);
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    History::from_csv(&text)
        .map_err(|error| anyhow::anyhow!("{}:{}:{}: {}", path.display(), error.line, error.column, error.what))
}

/// floorkeeper, and whom people compare it with.
const SCALERS: &[Scaler] = &[
    Scaler::Floorkeeper,
    Scaler::HpaCpu,
    Scaler::HpaLoad,
    Scaler::Keda,
    Scaler::Tortoise,
    Scaler::Estafette,
    Scaler::StaticPeak,
    Scaler::Oracle,
];

/// How evidence goes on where playing asked for more than the rule.
const RAISED: &str = ". Raised";

/// More is a matter of capacity or start time.
const MOST_HEADROOM: u32 = 100;

/// Some ten years of minutes.
const LARGEST: u64 = 256 << 20;

#[cfg(test)]
mod tests;
