//! What is asked of a Prometheus server: flags, times, queries.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use floorkeeper_sim::trace::parse_instant;

use super::input::Input;
use crate::observe::{Auth, Parsed, Prometheus, SecretKey, Tls};

/// Where a history is asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Server {
    /// A server that speaks Prometheus' HTTP API, without /api/v1.
    #[arg(long, value_name = "URL", requires = "from")]
    pub(super) prometheus: Option<String>,

    /// Beginning: 14d (ago), 36h, a date, or RFC 3339.
    #[arg(long, value_name = "WHEN", requires = "prometheus")]
    pub(super) from: Option<String>,

    /// End: as --from.
    #[arg(long, value_name = "WHEN", requires = "prometheus", default_value = "0m")]
    pub(super) to: String,

    /// Time between two samples.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = span)]
    pub(super) step: Duration,

    /// PromQL for the offered load, one series. Left out: that of the policy's first signal.
    #[arg(long, value_name = "PROMQL", requires = "prometheus")]
    pub(super) query: Option<String>,

    /// PromQL for the replicas that really were. Left out: kube-state-metrics' count for the target.
    #[arg(long, value_name = "PROMQL", requires = "prometheus")]
    pub(super) replicas_query: Option<String>,

    /// A header for every request, such as 'X-Scope-OrgID: shop'.
    #[arg(long, value_name = "NAME: VALUE", requires = "prometheus")]
    header: Vec<String>,

    /// File with a bearer token.
    #[arg(long, value_name = "FILE", requires = "prometheus", conflicts_with = "username")]
    bearer_token_file: Option<PathBuf>,

    /// User for basic authentication.
    #[arg(long, value_name = "NAME", requires_all = ["prometheus", "password_file"])]
    username: Option<String>,

    /// File with that user's password.
    #[arg(long, value_name = "FILE", requires = "username")]
    password_file: Option<PathBuf>,

    /// PEM file of the authorities that are trusted instead of this machine's.
    #[arg(long, value_name = "FILE", requires = "prometheus")]
    ca_file: Option<PathBuf>,

    /// For one request.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = span)]
    pub(super) timeout: Duration,
}

/// A server's description with the secrets that it names.
pub(super) struct Described {
    pub(super) server: Prometheus,
    pub(super) credentials: Vec<(&'static str, &'static str, Vec<u8>)>,
}

/// From when to when, in seconds since 1970, whole steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) step: u64,
}

impl Server {
    pub(super) fn described(&self) -> anyhow::Result<Described> {
        let url = self.prometheus.as_deref().unwrap_or_default();
        let url = reqwest::Url::parse(url).with_context(|| format!("--prometheus {url}: write http://host:port"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
            bail!("--prometheus: write an http or https URL without a user in it; use --username and --password-file");
        }
        let mut credentials = Vec::new();
        let mut secret = |key: &'static str, value: Vec<u8>| {
            credentials.push((FILES, key, value));
            SecretKey { secret: FILES.into(), key: key.into() }
        };
        let auth = match (&self.bearer_token_file, &self.username, &self.password_file) {
            (Some(token), _, _) => Auth::Bearer(secret("token", file(token)?)),
            (None, Some(user), Some(password)) => Auth::Basic {
                username: secret("username", user.clone().into_bytes()),
                password: secret("password", file(password)?),
            },
            (None, _, _) => Auth::None,
        };
        let ca = self.ca_file.as_ref().map(|path| Ok::<_, anyhow::Error>(secret("ca", file(path)?))).transpose()?;
        let headers = self.header.iter().map(|header| {
            let (name, value) =
                header.split_once(':').with_context(|| format!("--header {header}: write 'NAME: VALUE'"))?;
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        });
        let server = Prometheus {
            url,
            headers: headers.collect::<anyhow::Result<Vec<_>>>()?,
            parameters: Vec::new(),
            auth,
            tls: Tls { ca, client: None, insecure_skip_verify: false },
        };
        Ok(Described { server, credentials })
    }

    /// `now`: seconds since 1970.
    pub(super) fn range(&self, now: u64) -> anyhow::Result<Range> {
        let step = self.step.as_secs();
        if !(1..=3_600).contains(&step) {
            bail!("--step: write a time from 1s to 1h");
        }
        let from = when("--from", self.from.as_deref().unwrap_or_default(), now)?;
        let to = when("--to", &self.to, now)?.min(now);
        let range = Range { from: from / step * step, to: to / step * step, step };
        if range.from + 2 * step > range.to {
            bail!("--from and --to: the range must hold two steps at least, and lie in the past");
        }
        if (range.to - range.from) / step > MOST_SAMPLES {
            bail!("that is more than {MOST_SAMPLES} samples: choose a longer --step or a shorter range");
        }
        Ok(range)
    }

    /// The question for the load.
    pub(super) fn load(&self, input: &Input) -> anyhow::Result<String> {
        let query = match &self.query {
            Some(query) => query.clone(),
            None => of_policy(input)?,
        };
        Parsed::new(&query).map_err(|unclear| anyhow!("{unclear}\n  in: {query}"))?;
        Ok(query)
    }

    /// The question for the replicas.
    pub(super) fn replicas(&self, input: &Input) -> anyhow::Result<Option<String>> {
        if let Some(query) = &self.replicas_query {
            Parsed::new(query).map_err(|unclear| anyhow!("--replicas-query: {unclear}"))?;
            return Ok(Some(query.clone()));
        }
        let target = &input.object.spec.target_ref;
        let namespace = input.policy.target.namespace.as_ref();
        let (metric, label) = match target.kind.as_str() {
            "Deployment" => ("kube_deployment_status_replicas_available", "deployment"),
            "StatefulSet" => ("kube_statefulset_status_replicas_ready", "statefulset"),
            _ => return Ok(None),
        };
        Ok(Some(format!("max({metric}{{namespace={namespace:?},{label}={:?}}})", target.name)))
    }
}

/// The query of the first signal, narrowed to this workload where many share it.
fn of_policy(input: &Input) -> anyhow::Result<String> {
    let demand = input.object.spec.demand.as_ref();
    let signal = demand.and_then(|demand| demand.signals.first());
    if let Some(query) = signal.and_then(|signal| signal.query.as_ref()) {
        return Ok(query.clone());
    }
    if signal.is_some_and(|signal| signal.metric.is_some()) {
        bail!("the policy's signal is a metric of a Kubernetes metrics API, which has no past: give --query");
    }
    let source = signal
        .and_then(|signal| signal.source.as_deref())
        .or_else(|| demand.and_then(|demand| demand.source.as_deref()));
    let source = source.unwrap_or("default");
    let wanted = signal.and_then(|signal| signal.demand.as_deref());
    let found = input.sources.iter().find(|known| known.metadata.name.as_deref() == Some(source));
    let found = found.with_context(|| {
        format!("the MetricSource {source:?} is not in {}: add its document to the file, or give --query", input.file)
    })?;
    let shared = found.spec.demands.iter().find(|demand| match wanted {
        Some(name) => demand.name == name,
        None => demand.default,
    });
    let shared = shared.with_context(|| format!("MetricSource {source:?} has no such demand: give --query"))?;
    let (Some(query), Some(labels)) = (&shared.query, &shared.labels) else {
        bail!("demand {:?} of MetricSource {source:?} has no query with labels: give --query", shared.name);
    };
    let (namespace, target) = (&input.policy.target.namespace, &input.policy.target.name);
    let (of_namespace, of_target) = (&labels.namespace, &labels.target);
    // `and on` keeps the one series whose labels these are, whatever the shared query is made of.
    Ok(format!(
        "({query}) and on ({of_namespace}, {of_target}) label_replace(label_replace(vector(1), {of_namespace:?}, {namespace:?}, \"\", \
         \"\"), {of_target:?}, {target:?}, \"\", \"\")"
    ))
}

/// A time ago, a date, or RFC 3339.
fn when(flag: &str, text: &str, now: u64) -> anyhow::Result<u64> {
    if let Ok(ago) = span(text) {
        return Ok(now.saturating_sub(ago.as_secs()));
    }
    let at = parse_instant(text).or_else(|| parse_instant(&format!("{text}T00:00:00Z")));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and saturates")]
    let at = at.filter(|at| *at >= 0.0).map(|at| at as u64);
    at.with_context(|| format!("{flag} {text}: write 14d or 36h (ago), 2026-10-01, or 2026-10-01T00:00:00Z"))
}

/// `45s`, `2m`, `36h`, `14d`, `2w`.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    let refused = || format!("{text:?} is no time: write 45s, 2m, 36h, 14d or 2w");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(refused)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(refused()),
    };
    let number: u64 = number.parse().map_err(|_| refused())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(refused)
}

fn file(path: &PathBuf) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("can't read {}", path.display()))
}

/// Stands for the Secret that a MetricSource would name.
const FILES: &str = "files";

/// Two years of minutes.
const MOST_SAMPLES: u64 = 1_100_000;
