//! `floorkeeper replay`: scenarios in virtual time against floorkeeper's own engine and its peers.

mod loads;
mod page;
pub mod policies;
pub(super) mod reason;
mod series;
mod table;
mod work;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use floorkeeper_replay::{Runs, Scaler};
use floorkeeper_sim::{CATALOGUE, Scenario};
use serde_json::json;

use loads::Loads;
use policies::Named;
use work::{Done, Work};

/// Plays incidents in virtual time, against floorkeeper and against other autoscalers.
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Plays incidents in virtual time: floorkeeper's own engine beside ports of other autoscalers, each with \
pods, a metrics pipeline and clients of its own, under the same load and the same faults.\n\n\
Two numbers come out, and neither counts without the other: minutes with too few replicas under faults, and replica-hours \
paid where nothing is wrong. docs/replay.md has the format of scenarios, the equations of the service model, what is \
measured, and what the model can't say.\n\n\
The same seed gives the same output, whatever the number of jobs. Ctrl-C ends it early: what is finished is reported.\n\n\
Exit code: 0 every run of floorkeeper kept its scenario's pass condition, 1 one did not, 130 ended early.",
    after_help = "Examples:
  floorkeeper replay                                   all incidents and 200 random compositions of faults
  floorkeeper replay S1a --policy recommended          one incident, every measure of every scaler
  floorkeeper replay --list                            what there is
  floorkeeper replay --random 0 --sweep                the incidents, and what else their shape could have been
  floorkeeper replay --trace traffic.csv --seeds 10    on your own traffic (time,rps), ten places in it
  floorkeeper replay --format html --out report.html   a page with a chart for each run
  floorkeeper replay mine.yaml --format json           a scenario of your own, for a program to read
  floorkeeper replay --frontier --out frontier.svg     what each setting keeps, and costs
  floorkeeper replay --schema > scenario.schema.json   for your editor"
)]
pub struct Args {
    /// Names of embedded scenarios (S1a, week, R017), or files of your own. None: everything.
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,

    /// minimal, recommended, queue, or a file with a ScalingPolicy (and the MetricSources that it reads). Left out: all three.
    #[arg(long, value_name = "NAME|FILE", value_delimiter = ',')]
    policy: Vec<String>,

    /// Who scales. Left out: everybody.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    scaler: Vec<Scaler>,

    /// A file of load, `time,rps`, played instead of the generated one, scaled to its peak.
    #[arg(long, value_name = "FILE.csv")]
    trace: Option<PathBuf>,

    /// How many seeds of the load: other noise, or other places in the trace.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,

    /// How many random compositions of faults. Left out: 200, none where scenarios are named.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(0..=100_000))]
    random: Option<u64>,

    /// Play each value of each choice in the shape of a scenario, too.
    #[arg(long)]
    sweep: bool,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    /// Write to this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// With --format json: load, need, replicas and floorkeeper's reasons, tick by tick.
    #[arg(long)]
    series: bool,

    /// Threads. Left out: one for each core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,

    /// Draw, as SVG, what each setting keeps for a return of traffic against what it costs.
    #[arg(long, conflicts_with_all = ["scenarios", "policy", "scaler", "trace", "random", "sweep", "series", "seeds", "jobs", "list", "schema"])]
    frontier: bool,

    /// List the embedded scenarios.
    #[arg(long, conflicts_with = "schema")]
    list: bool,

    /// Print the JSON Schema of scenario files.
    #[arg(long)]
    schema: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people: minutes with too few replicas, and the two headline numbers
    Table,
    /// {"runs": [...]}, one object for each scenario, trace, policy, seed and scaler
    Json,
    /// One self-contained page: a matrix, and a chart for each run
    Html,
}

impl Args {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        if self.list {
            super::print(list()?.as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        if self.schema {
            super::print(schema_text()?.as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        if self.frontier {
            self.write(&floorkeeper_replay::frontier_of(&policies::named("recommended")?.policy)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        let scalers = match self.scaler.is_empty() {
            true => Scaler::ALL.to_vec(),
            false => self.scaler.clone(),
        };
        let work = Work {
            scenarios: self.chosen()?,
            seeds: self.seeds,
            policies: self.policies()?,
            scalers,
            loads: Loads::read(self.trace.as_deref())?,
            series: self.series,
            pictures: self.format == Format::Html,
        };
        if let Some(remark) = work.loads.remark() {
            eprintln!("{remark}");
        }
        let jobs = self.jobs.map_or_else(work::cores, usize::from);
        let (done, complete) = work.carry_out(jobs, std::io::stderr().is_terminal())?;
        self.report(&done, &work)?;
        let failed = complain(&done);
        Ok(match (complete, failed) {
            (false, _) => ExitCode::from(INTERRUPTED),
            (true, true) => ExitCode::FAILURE,
            (true, false) => ExitCode::SUCCESS,
        })
    }

    fn chosen(&self) -> anyhow::Result<Vec<Scenario>> {
        let mut chosen = match self.scenarios.is_empty() {
            true => CATALOGUE.iter().map(|(name, _)| floorkeeper_sim::find(name)).collect::<Result<Vec<_>, _>>()?,
            false => self.scenarios.iter().map(|name| scenario(name)).collect::<anyhow::Result<Vec<_>>>()?,
        };
        if self.sweep {
            let variants: Vec<_> = chosen.iter().map(Scenario::variants).collect::<Result<_, _>>()?;
            chosen.extend(variants.into_iter().flatten());
        }
        let random = self.random.unwrap_or(if self.scenarios.is_empty() { COMPOSITIONS } else { 0 });
        chosen.extend((1..=random).map(floorkeeper_sim::composition));
        Ok(chosen)
    }

    fn policies(&self) -> anyhow::Result<Vec<Named>> {
        match self.policy.is_empty() {
            true => policies::committed(),
            false => self.policy.iter().map(|name| policies::named(name)).collect(),
        }
    }

    fn report(&self, done: &[Done], work: &Work) -> anyhow::Result<()> {
        let runs: Vec<_> = done.iter().flat_map(|done| &done.played).map(|played| played.run.clone()).collect();
        let text = match self.format {
            Format::Table => table::render(&runs, &work.scalers),
            Format::Html => page::render(done, work),
            Format::Json => {
                let mut all = serde_json::to_value(Runs { runs }).context("the runs can't be written as JSON")?;
                if self.series {
                    all["series"] = json!(done.iter().filter_map(series::of).collect::<Vec<_>>());
                }
                let mut text = serde_json::to_string(&all).context("the runs can't be written as JSON")?;
                text.push('\n');
                text
            }
        };
        self.write(&text)
    }

    fn write(&self, text: &str) -> anyhow::Result<()> {
        match &self.out {
            None => super::print(text.as_bytes()),
            Some(path) => std::fs::write(path, text).with_context(|| format!("can't write {}", path.display())),
        }
    }
}

/// An embedded scenario, a composition by its number, or a file.
fn scenario(name: &str) -> anyhow::Result<Scenario> {
    let number = name.strip_prefix(['R', 'r']).and_then(|number| number.parse::<u64>().ok());
    if let Some(number) = number {
        return Ok(floorkeeper_sim::composition(number));
    }
    if !name.contains(['.', '/']) {
        return Ok(floorkeeper_sim::find(name)?);
    }
    let text = std::fs::read_to_string(name).with_context(|| format!("can't read {name}"))?;
    Scenario::from_yaml(&text).with_context(|| name.to_owned())
}

/// What floorkeeper's runs broke, on standard error. True if there was any.
fn complain(done: &[Done]) -> bool {
    let failed: Vec<String> = done
        .iter()
        .flat_map(|done| &done.played)
        .filter(|played| !played.run.passed && played.run.scaler.starts_with(Scaler::Floorkeeper.name()))
        .map(|played| {
            let run = &played.run;
            let broken: Vec<String> = played.broken.iter().map(ToString::to_string).collect();
            format!(
                "failed: {}, trace {}, policy {}, seed {}, {}: {}",
                run.scenario,
                run.trace,
                run.policy,
                run.seed,
                run.scaler,
                broken.join("; ")
            )
        })
        .collect();
    failed.iter().take(FAILURES_SHOWN).for_each(|line| eprintln!("{line}"));
    if failed.len() > FAILURES_SHOWN {
        eprintln!("and {} more; --format json has all of them", failed.len() - FAILURES_SHOWN);
    }
    !failed.is_empty()
}

fn list() -> anyhow::Result<String> {
    let mut text = String::new();
    for (name, _) in CATALOGUE {
        let scenario = floorkeeper_sim::find(name)?;
        let class = floorkeeper_replay::class_name(scenario.class);
        text.push_str(&format!("{name:<9} {class:<10} {:>6} min  {}\n", scenario.minutes, scenario.title));
    }
    text.push_str("R1, R2, ...                      compositions of faults, drawn at random by their number\n");
    Ok(text)
}

/// The JSON Schema of scenario files, as committed.
pub fn schema_text() -> anyhow::Result<String> {
    let mut text = serde_json::to_string_pretty(&floorkeeper_sim::scenario::schema()).context("no schema")?;
    if text.is_empty() {
        bail!("no schema");
    }
    text.push('\n');
    Ok(text)
}

/// Compositions where nothing is asked for.
const COMPOSITIONS: u64 = 200;

/// Failures that are told one by one.
const FAILURES_SHOWN: usize = 20;

/// As a shell has it for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;
