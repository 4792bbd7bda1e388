//! How a person's command reaches a cluster: kubectl's flags, answers bounded in size and time, errors in one sentence.
//!
//! Everything that these commands read or write goes through [`Cluster::send`]. The time is the cluster's own, from the
//! `Date` of its answers: the clock of a laptop that was just woken is no measure of how old a status is.

use std::error::Error as _;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::http::{HeaderName, HeaderValue, Request, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use kube::api::ListParams;
use kube::client::Body;
use kube::core::{Resource, Status};
use kube::{Client, core};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::trouble::Trouble;
use crate::controller::{self, Access, AccessError};

/// The flags of every command that needs a cluster: kubectl's, by name and meaning.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Reach {
    /// Kubeconfig file. Left out: $KUBECONFIG, then ~/.kube/config.
    #[arg(long, value_name = "FILE", help_heading = CLUSTER)]
    kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig. Left out: its current context.
    #[arg(long, value_name = "NAME", help_heading = CLUSTER)]
    context: Option<String>,

    /// Namespace. Left out: the context's.
    #[arg(long, short, value_name = "NAMESPACE", help_heading = CLUSTER)]
    namespace: Option<String>,

    /// Act as this user.
    #[arg(long = "as", value_name = "USER", help_heading = CLUSTER)]
    user: Option<String>,

    /// Act as a member of this group; can be given several times.
    #[arg(long = "as-group", value_name = "GROUP", requires = "user", help_heading = CLUSTER)]
    groups: Vec<String>,

    /// The namespace that floorkeeper itself runs in.
    #[arg(
        long,
        env = "FLOORKEEPER_NAMESPACE",
        value_name = "NAMESPACE",
        default_value = "floorkeeper-system",
        help_heading = CLUSTER
    )]
    home: String,
}

impl Reach {
    /// Connects, and runs `work` to its end.
    pub(super) fn run<F, T>(self, work: impl FnOnce(Cluster) -> F) -> anyhow::Result<T>
    where
        F: Future<Output = anyhow::Result<T>>,
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("the asynchronous runtime can't be started")?;
        runtime.block_on(async { work(self.connect().await?).await })
    }

    async fn connect(self) -> anyhow::Result<Cluster> {
        let Self { kubeconfig, context, namespace, user, groups, home } = self;
        let mut config = controller::config(&Access { kubeconfig, context }).await.map_err(no_cluster)?;
        let auth = &config.auth_info;
        let user = user.or_else(|| auth.impersonate.clone());
        let groups = if groups.is_empty() { auth.impersonate_groups.clone().unwrap_or_default() } else { groups };
        for (name, value) in user.map(|user| (USER, user)).into_iter().chain(groups.into_iter().map(|it| (GROUP, it))) {
            let value =
                HeaderValue::from_str(&value).with_context(|| format!("{value:?} is no name of a user or group"))?;
            config.headers.push((name, value));
        }
        let server = config.cluster_url.to_string();
        let namespace = namespace.unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).context("no cluster to talk to")?;
        Ok(Cluster { client, namespace, home, server, time: Mutex::new(None) })
    }
}

/// A cluster, as one person.
pub(super) struct Cluster {
    client: Client,
    /// Where the command looks.
    pub(super) namespace: String,
    /// Where floorkeeper lives.
    pub(super) home: String,
    server: String,
    /// The time of the last answer.
    time: Mutex<Option<Timestamp>>,
}

/// What a list held.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Listed<K> {
    pub(super) items: Vec<K>,
    /// Objects that could not be read, and so are left out.
    pub(super) unreadable: usize,
    /// There are more than are listed here.
    pub(super) cut: bool,
}

impl<K> Default for Listed<K> {
    fn default() -> Self {
        Self { items: Vec::new(), unreadable: 0, cut: false }
    }
}

impl Cluster {
    /// One object; `None` where there is none of this name. Where the kind itself is unknown: [`Trouble::NoSuchKind`].
    pub(super) async fn find<K>(&self, name: &str, namespace: Option<&str>) -> Result<Option<K>, Trouble>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let request = core::Request::new(K::url_path(&(), namespace)).get(name, &Default::default());
        match self.send(request, &about("get", &K::plural(&()), namespace)).await {
            Err(Trouble::NotFound) => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// All objects of a kind, in one namespace or in all of them.
    pub(super) async fn list<K>(&self, namespace: Option<&str>) -> Result<Listed<K>, Trouble>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        self.list_at(&K::url_path(&(), namespace), &K::plural(&()), namespace, None).await
    }

    /// The same for a kind that is known by its path only.
    pub(super) async fn list_at<K: DeserializeOwned>(
        &self,
        path: &str,
        plural: &str,
        namespace: Option<&str>,
        labels: Option<&str>,
    ) -> Result<Listed<K>, Trouble> {
        let mut listed = Listed::default();
        let mut params = ListParams { label_selector: labels.map(str::to_owned), ..ListParams::default() }.limit(PAGE);
        loop {
            let request = core::Request::new(path).list(&params);
            let page: Page = self.send(request, &about("list", plural, namespace)).await?;
            for item in page.items {
                match serde_json::from_value(item) {
                    Ok(item) => listed.items.push(item),
                    Err(_) => listed.unreadable += 1,
                }
            }
            match page.metadata.next.filter(|next| !next.is_empty()) {
                None => return Ok(listed),
                Some(_) if listed.items.len() >= MOST => {
                    listed.cut = true;
                    return Ok(listed);
                }
                Some(next) => params.continue_token = Some(next),
            }
        }
    }

    /// Sends one request and reads its answer: within [`WITHIN`], [`LARGEST`] at most. `what`: "list scalingpolicies in
    /// namespace shop".
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        request: Result<Request<Vec<u8>>, core::request::Error>,
        what: &str,
    ) -> Result<T, Trouble> {
        let request = request.map_err(|error| Trouble::Other(error.to_string()))?;
        tokio::time::timeout(WITHIN, self.exchange(request, what)).await.unwrap_or_else(|_| {
            Err(Trouble::NoAnswer {
                server: self.server.clone(),
                why: format!("nothing within {} s", WITHIN.as_secs()),
            })
        })
    }

    async fn exchange<T: DeserializeOwned>(&self, request: Request<Vec<u8>>, what: &str) -> Result<T, Trouble> {
        let sent = self.client.send(request.map(Body::from)).await;
        let response = sent.map_err(|error| Trouble::unanswered(&self.server, &error))?;
        let status = response.status();
        if let Some(time) = response.headers().get(header::DATE).and_then(|date| parsed(date.to_str().ok()?)) {
            *self.time.lock().unwrap_or_else(PoisonError::into_inner) = Some(time);
        }
        let body = axum::body::to_bytes(axum::body::Body::new(response.into_body()), LARGEST).await;
        let body = body.map_err(|_| Trouble::Unreadable(what.to_owned()))?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| Trouble::Unreadable(what.to_owned()));
        }
        Err(Trouble::refused(status.as_u16(), serde_json::from_slice::<Status>(&body).ok(), what))
    }

    /// The time of the cluster, as of its last answer.
    pub(super) fn now(&self) -> Timestamp {
        let told = *self.time.lock().unwrap_or_else(PoisonError::into_inner);
        told.unwrap_or_else(Timestamp::now)
    }

    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: PageMeta,
    #[serde(default)]
    items: Vec<Value>,
}

#[derive(Default, Deserialize)]
struct PageMeta {
    #[serde(rename = "continue")]
    next: Option<String>,
}

/// One sentence, where kube tells the same three times.
fn no_cluster(error: AccessError) -> anyhow::Error {
    let why = match &error {
        AccessError::Infer(inferred) => inferred.source().map_or_else(|| error.to_string(), ToString::to_string),
        AccessError::Kubeconfig(_) | AccessError::Client(_) => error.to_string(),
    };
    anyhow::anyhow!("no cluster to talk to: {why}; set KUBECONFIG, or pass --kubeconfig or --context")
}

/// What a request is about, for the sentence that tells how it failed.
pub(super) fn about(verb: &str, plural: &str, namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) => format!("{verb} {plural} in namespace {namespace}"),
        None => format!("{verb} {plural}"),
    }
}

/// `Mon, 23 Nov 2026 18:31:54 GMT`
fn parsed(date: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(date).ok()
}

const CLUSTER: &str = "Cluster";

const USER: HeaderName = HeaderName::from_static("impersonate-user");
const GROUP: HeaderName = HeaderName::from_static("impersonate-group");

/// A page of objects of ours is a megabyte or two.
const PAGE: u32 = 500;

/// More than one process is made for; a list this long is no help at night.
const MOST: usize = 20_000;

/// Far above a page of the largest objects that are listed here.
const LARGEST: usize = 64 << 20;

/// A healthy API server answers in milliseconds; a person waits this long without wondering.
const WITHIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cluster_s_own_time_is_read() {
        assert_eq!(parsed("Tue, 05 Mar 2024 01:36:00 GMT").unwrap().to_string(), "2024-03-05T01:36:00Z");
        assert_eq!(parsed("yesterday"), None);
    }
}
