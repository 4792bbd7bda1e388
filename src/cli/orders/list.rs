//! The orders of a namespace, those in force first.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::ResourceExt as _;

use crate::api::{FloorOverride, OverrideAction, OverrideState};
use crate::cli::ago;
use crate::cli::reach::Cluster;
use crate::cli::terminal::{Cell, Terminal, Tone};

pub(super) async fn show(cluster: &Cluster) -> anyhow::Result<ExitCode> {
    let orders = cluster.list::<FloorOverride>(Some(&cluster.namespace)).await?;
    let text = text(orders.items, &cluster.namespace, cluster.now(), Terminal::here());
    super::super::print(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn text(mut orders: Vec<FloorOverride>, namespace: &str, now: Timestamp, terminal: Terminal) -> String {
    if orders.is_empty() {
        return format!("no FloorOverrides in namespace {namespace}\n");
    }
    let state = |order: &FloorOverride| order.status.as_ref().and_then(|status| status.state);
    orders.sort_by_key(|order| match state(order) {
        Some(OverrideState::InForce) => 0,
        None => 1,
        Some(OverrideState::Pending) => 2,
        Some(OverrideState::Expired) => 3,
    });
    let rows: Vec<Vec<Cell>> = orders
        .iter()
        .map(|order| {
            let spec = &order.spec;
            let (word, tone) = match state(order) {
                Some(OverrideState::InForce) => ("InForce", Tone::Good),
                Some(OverrideState::Pending) => ("Pending", Tone::Odd),
                Some(OverrideState::Expired) => ("Expired", Tone::Dim),
                // floorkeeper writes the state at once.
                None => ("Unseen", Tone::Bad),
            };
            let status = order.status.as_ref();
            let left = status.and_then(|status| status.until.as_ref()).map(|until| ago::until(until, now));
            let whom = match (&spec.policy, spec.whole_namespace) {
                (Some(policy), _) => policy.clone(),
                (None, true) => "(namespace)".to_owned(),
                (None, false) => "(selector)".to_owned(),
            };
            vec![
                Cell::plain(order.name_any()),
                Cell::plain(action(spec.action, spec.replicas)),
                Cell::plain(whom),
                Cell::new(tone, word),
                Cell::plain(left.unwrap_or_else(|| "-".to_owned())),
                Cell::plain(&*spec.reason),
            ]
        })
        .collect();
    terminal.table(&["NAME", "ACTION", "POLICY", "STATE", "LEFT", "REASON"], &rows)
}

pub(super) fn action(action: OverrideAction, replicas: Option<i32>) -> String {
    match (action, replicas) {
        (OverrideAction::Freeze, _) => "Freeze".to_owned(),
        (OverrideAction::Release, _) => "Release".to_owned(),
        (OverrideAction::Pin, Some(replicas)) => format!("Pin {replicas}"),
        (OverrideAction::Pin, None) => "Pin".to_owned(),
    }
}

/// `tier=edge,team=a`
pub(super) fn selector(labels: &str) -> anyhow::Result<LabelSelector> {
    let mut found = BTreeMap::new();
    for pair in labels.split(',') {
        let (key, value) = pair.split_once('=').with_context(|| format!("--selector {pair:?}: write label=value"))?;
        let value = value.strip_prefix('=').unwrap_or(value);
        ensure!(!key.trim_end_matches('!').is_empty() && !key.ends_with('!'), "--selector {pair:?}: write label=value");
        found.insert(key.trim().to_owned(), value.trim().to_owned());
    }
    Ok(LabelSelector { match_labels: Some(found), match_expressions: None })
}
