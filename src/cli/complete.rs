//! Tab completion for `kubectl floorkeeper ...`, names of policies and orders included.
//!
//! kubectl asks a program named `kubectl_complete-floorkeeper`: a link to this one. It gets the words typed so far, the last
//! one unfinished, and answers with a line for each candidate and a last line that says "no file names".

use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _};
use kube::ResourceExt;

use super::Cli;
use super::reach::{Cluster, Reach};
use crate::api::{FloorOverride, ScalingPolicy};

/// kubectl looks for it under this name.
pub(super) const FILE: &str = "kubectl_complete-floorkeeper";

/// Prints the candidates. Whatever goes wrong: none.
pub(super) fn answer(words: &[String]) {
    let mut candidates = match asked(words) {
        Asked::Words(candidates) => candidates,
        Asked::Policies => names(words, false),
        Asked::Orders => names(words, true),
    };
    let start = words.last().map_or("", String::as_str);
    candidates.retain(|candidate| candidate.starts_with(start));
    let lines: String = candidates.iter().map(|candidate| format!("{candidate}\n")).collect();
    // Nobody is there to be told of a failure.
    let _ = super::print(format!("{lines}{NO_FILES}\n").as_bytes());
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// One of these.
    Words(Vec<String>),
    Policies,
    Orders,
}

fn asked(words: &[String]) -> Asked {
    let command = Cli::command();
    let [name, rest @ ..] = words else { return Asked::Words(Vec::new()) };
    if rest.is_empty() {
        let commands = command.get_subcommands().filter(|command| !command.is_hide_set());
        return Asked::Words(commands.map(|command| command.get_name().to_owned()).collect());
    }
    let Some(command) = command.find_subcommand(name) else { return Asked::Words(Vec::new()) };
    let last = rest.last().map_or("", String::as_str);
    if last.starts_with('-') {
        let flags = command.get_arguments().filter(|flag| !flag.is_hide_set()).filter_map(clap::Arg::get_long);
        return Asked::Words(flags.map(|flag| format!("--{flag}")).collect());
    }
    let before = rest.len().checked_sub(2).and_then(|at| rest.get(at)).map_or("", String::as_str);
    if before == "--end" {
        return Asked::Orders;
    }
    // The value of a flag: choices where it has some.
    let flag = command.get_arguments().find(|flag| {
        let long = before.strip_prefix("--").is_some_and(|name| flag.get_long() == Some(name));
        long || before
            .strip_prefix('-')
            .is_some_and(|name| flag.get_short().is_some_and(|short| name == short.to_string()))
    });
    if let Some(flag) = flag.filter(|flag| flag.get_action().takes_values()) {
        let choices = flag.get_possible_values();
        return Asked::Words(choices.iter().map(|choice| choice.get_name().to_owned()).collect());
    }
    let named = command.get_positionals().any(|positional| positional.get_id() == "name");
    if named { Asked::Policies } else { Asked::Words(Vec::new()) }
}

/// Asks the cluster that the words name so far.
fn names(words: &[String], orders: bool) -> Vec<String> {
    let Some(reach) = reach(words) else { return Vec::new() };
    // Who presses Tab does not wait.
    let asking = reach.run(|cluster| async move {
        Ok(tokio::time::timeout(AT_MOST, list(&cluster, orders)).await.unwrap_or_default())
    });
    asking.unwrap_or_default()
}

async fn list(cluster: &Cluster, orders: bool) -> Vec<String> {
    let namespace = Some(cluster.namespace.as_str());
    if orders {
        let found = cluster.list::<FloorOverride>(namespace).await.unwrap_or_default();
        return found.items.iter().map(ResourceExt::name_any).collect();
    }
    let found = cluster.list::<ScalingPolicy>(namespace).await.unwrap_or_default();
    found.items.iter().map(ResourceExt::name_any).collect()
}

/// The cluster's flags among the words; the others are passed over.
fn reach(words: &[String]) -> Option<Reach> {
    let flags = <Reach as clap::Args>::augment_args(clap::Command::new("reach"));
    let takes = |word: &str| {
        flags.get_arguments().any(|flag| {
            flag.get_long().is_some_and(|long| word == format!("--{long}"))
                || flag.get_short().is_some_and(|short| word == format!("-{short}"))
        })
    };
    let mut kept = vec!["reach".to_owned()];
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let name = word.split('=').next().unwrap_or(word);
        if takes(name) {
            kept.push(word.clone());
            if !word.contains('=') {
                kept.extend(rest.next().cloned());
            }
        }
    }
    let matches = flags.try_get_matches_from(kept).ok()?;
    Reach::from_arg_matches(&matches).ok()
}

/// cobra's word for "no file names".
const NO_FILES: &str = ":4";

const AT_MOST: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn what_comes_next() {
        let Asked::Words(commands) = asked(&words("")) else { panic!("commands") };
        assert!(["status", "explain", "override", "doctor"].iter().all(|name| commands.iter().any(|it| it == name)));
        let Asked::Words(flags) = asked(&words("override web --")) else { panic!("flags") };
        assert!(flags.contains(&"--release".to_owned()) && flags.contains(&"--namespace".to_owned()), "{flags:?}");
        assert_eq!(asked(&words("status -o ")), Asked::Words(vec!["wide".to_owned(), "json".to_owned()]));
        for line in ["explain ", "explain -n shop we", "override --freeze "] {
            assert_eq!(asked(&words(line)), Asked::Policies, "{line}");
        }
        assert_eq!(asked(&words("override --end ")), Asked::Orders);
        for line in ["explain -n ", "doctor ", "nonsense x"] {
            assert_eq!(asked(&words(line)), Asked::Words(Vec::new()), "{line}");
        }
    }

    #[test]
    fn the_cluster_is_the_one_that_was_named() {
        let reach = reach(&words("override web --pin 4 -n shop --context=night we")).unwrap();
        assert!(
            format!("{reach:?}").contains("Some(\"shop\")") && format!("{reach:?}").contains("Some(\"night\")"),
            "{reach:?}"
        );
    }
}
