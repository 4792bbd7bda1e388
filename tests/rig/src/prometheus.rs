//! A real Prometheus with a scrape configuration of the caller's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::binaries::Module;
use crate::credentials;
use crate::ports::Port;
use crate::process::{Process, Signal};
use crate::remote_write::PastSeries;
use crate::room::Room;
use crate::wait::eventually;

/// What Prometheus scrapes and how.
#[derive(Debug, Clone)]
pub struct PrometheusOptions {
    /// Of every job that has none of its own; rules are evaluated as often.
    pub interval: Duration,
    pub jobs: Vec<ScrapeJob>,
    /// How far back [`Prometheus::remember`] may write; none: nothing is written.
    pub past: Option<Duration>,
    /// A rules file's `groups`, where there are any.
    pub rule_groups: Option<Value>,
    /// More flags, for instance `--query.lookback-delta=10s` where time runs fast.
    pub flags: Vec<String>,
}

/// One `scrape_config` with targets known beforehand.
#[derive(Debug, Clone, Default)]
pub struct ScrapeJob {
    pub name: String,
    /// `host:port` of each target, see [`Exposition::address`](crate::Exposition::address).
    pub addresses: Vec<String>,
    /// Labels on every series of the job.
    pub labels: BTreeMap<String, String>,
    pub interval: Option<Duration>,
}

/// What becomes of the data when Prometheus starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    Kept,
    Lost,
}

/// A running Prometheus on a port and in a directory of its own; gone when dropped.
///
/// ```no_run
/// use floorkeeper_rig::{Exposition, Prometheus, PrometheusOptions};
///
/// # async fn example() -> anyhow::Result<()> {
/// let edge = Exposition::start().await?;
/// let prometheus = Prometheus::start(PrometheusOptions::scraping("edge", &[&edge])).await?;
/// let rate = prometheus.value("sum(rate(edge_requests_total[10s]))").await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Prometheus {
    process: Option<Process>,
    room: Room,
    port: Port,
    program: PathBuf,
    options: PrometheusOptions,
    http: reqwest::Client,
}

impl PrometheusOptions {
    /// One job over some expositions, scraped each second.
    pub fn scraping(job: &str, expositions: &[&crate::Exposition]) -> Self {
        let addresses = expositions.iter().map(|exposition| exposition.address()).collect();
        Self { jobs: vec![ScrapeJob { name: job.to_owned(), addresses, ..ScrapeJob::default() }], ..Self::default() }
    }
}

impl Default for PrometheusOptions {
    fn default() -> Self {
        Self { interval: Duration::from_secs(1), jobs: Vec::new(), past: None, rule_groups: None, flags: Vec::new() }
    }
}

impl Prometheus {
    /// Starts it and waits until it answers. Builds it first if it isn't in the cache yet, which takes minutes, once.
    pub async fn start(options: PrometheusOptions) -> Result<Self> {
        let program = tokio::task::spawn_blocking(|| Module::Prometheus.build()).await??.join("prometheus");
        credentials::install_crypto();
        let http = reqwest::Client::builder().timeout(HTTP_BOUND).no_proxy().build()?;
        let mut prometheus =
            Self { process: None, room: Room::create("prometheus")?, port: Port::lease()?, program, options, http };
        prometheus.resume().await?;
        Ok(prometheus)
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number())
    }

    pub fn log(&self) -> PathBuf {
        self.room.path().join("prometheus.log")
    }

    /// Kills it with SIGKILL. Nothing answers on its port until [`Prometheus::resume`].
    pub fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// Sends it a signal, for instance [`Signal::Freeze`]: it then accepts connections and answers nothing.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        self.process.as_mut().context("Prometheus is stopped")?.signal(signal)
    }

    /// Starts it on its port and waits until it answers.
    pub async fn resume(&mut self) -> Result<()> {
        self.write_config()?;
        let data = self.data();
        let mut flags = vec![
            format!("--config.file={}", self.config().display()),
            format!("--storage.tsdb.path={}", data.display()),
            format!("--web.listen-address=127.0.0.1:{}", self.port.number()),
            "--web.enable-lifecycle".to_owned(),
            "--log.level=warn".to_owned(),
        ];
        if self.options.past.is_some() {
            flags.push("--web.enable-remote-write-receiver".to_owned());
        }
        flags.extend(self.options.flags.iter().cloned());
        let mut process = Process::start_in("Prometheus", &self.program, &flags, &[], &self.log(), self.room.path())?;
        let ready = format!("{}/-/ready", self.url());
        let outcome = eventually("Prometheus is ready", START_BOUND, || async {
            self.http.get(&ready).send().await?.error_for_status()?;
            Ok::<_, reqwest::Error>(())
        })
        .await;
        process.check()?;
        self.process = Some(process);
        outcome
    }

    /// Kills it and starts it again, with its data or with an empty TSDB.
    pub async fn restart(&mut self, data: Data) -> Result<()> {
        self.stop();
        match data {
            Data::Kept => {}
            Data::Lost => std::fs::remove_dir_all(self.data())?,
        }
        self.resume().await
    }

    /// Scrapes other targets from now on.
    pub async fn scrape(&mut self, jobs: Vec<ScrapeJob>) -> Result<()> {
        self.options.jobs = jobs;
        self.write_config()?;
        self.http.post(format!("{}/-/reload", self.url())).send().await?.error_for_status()?;
        Ok(())
    }

    /// Gives it samples of the past: it must have been started with [`PrometheusOptions::past`].
    pub async fn remember(&self, past: &PastSeries) -> Result<()> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis() as u64;
        let request = self.http.post(format!("{}/api/v1/write", self.url()));
        let headers = [
            ("Content-Encoding", "snappy"),
            ("Content-Type", "application/x-protobuf"),
            ("X-Prometheus-Remote-Write-Version", "0.1.0"),
        ];
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = request.body(past.body(now)).send().await?;
        if !answer.status().is_success() {
            bail!("Prometheus does not take the past: {} {}", answer.status(), answer.text().await?);
        }
        Ok(())
    }

    /// How often a path of its API was asked: `/api/v1/query_range`.
    pub async fn asked(&self, path: &str) -> Result<u64> {
        let text = self.http.get(format!("{}/metrics", self.url())).send().await?.error_for_status()?.text().await?;
        let of_path = |line: &&str| {
            line.starts_with("prometheus_http_requests_total{") && line.contains(&format!("handler=\"{path}\""))
        };
        let counts = text.lines().filter(of_path).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        Ok(counts.sum::<f64>() as u64)
    }

    /// An instant query; gives the `data` of the answer.
    pub async fn query(&self, query: &str) -> Result<Value> {
        let url = format!("{}/api/v1/query", self.url());
        let answer = self.http.post(url).form(&[("query", query)]).send().await?.bytes().await?;
        let mut answer: Value = serde_json::from_slice(&answer)?;
        if answer["status"] != "success" {
            bail!("Prometheus refused {query}: {}", answer["error"]);
        }
        Ok(answer["data"].take())
    }

    /// The value of an instant query that gives one series or a scalar; `None` if it gives nothing.
    pub async fn value(&self, query: &str) -> Result<Option<f64>> {
        let data = self.query(query).await?;
        let sample = match data["resultType"].as_str() {
            Some("scalar") => Some(&data["result"]),
            _ => match data["result"].as_array().map(Vec::as_slice) {
                None | Some([]) => None,
                Some([one]) => Some(&one["value"]),
                Some(several) => bail!("{query} gives {} series, not one", several.len()),
            },
        };
        let Some(sample) = sample else { return Ok(None) };
        let text = sample[1].as_str().with_context(|| format!("{query}: no value in {sample}"))?;
        Ok(Some(text.parse()?))
    }

    /// Lets it live on after this program, until a line is written to the FIFO `stop`; gives its directory.
    pub(crate) fn keep(self, stop: &Path) -> Result<PathBuf> {
        if let Some(process) = self.process {
            process.keep(stop)?;
        }
        self.room.keep(stop)
    }

    fn write_config(&self) -> Result<()> {
        let jobs: Vec<Value> = self.options.jobs.iter().map(|job| job.config(self.options.interval)).collect();
        let interval = duration(self.options.interval);
        let mut config = json!({
            "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
            "scrape_configs": jobs,
        });
        if let Some(past) = self.options.past {
            config["storage"] = json!({"tsdb": {"out_of_order_time_window": duration(past)}});
        }
        if let Some(groups) = &self.options.rule_groups {
            let rules = self.room.path().join("rules.yml");
            std::fs::write(&rules, json!({"groups": groups}).to_string())?;
            config["rule_files"] = json!([rules]);
        }
        // JSON is YAML.
        Ok(std::fs::write(self.config(), config.to_string())?)
    }

    fn config(&self) -> PathBuf {
        self.room.path().join("prometheus.yml")
    }

    fn data(&self) -> PathBuf {
        self.room.path().join("data")
    }
}

impl ScrapeJob {
    fn config(&self, interval: Duration) -> Value {
        let interval = duration(self.interval.unwrap_or(interval));
        json!({
            "job_name": self.name,
            "scrape_interval": interval,
            "scrape_timeout": interval,
            "static_configs": [{"targets": self.addresses, "labels": self.labels}],
        })
    }
}

fn duration(duration: Duration) -> String {
    format!("{}ms", duration.as_millis().max(1))
}

/// Ten times what an idle machine needs.
const START_BOUND: Duration = Duration::from_secs(60);
const HTTP_BOUND: Duration = Duration::from_secs(10);
