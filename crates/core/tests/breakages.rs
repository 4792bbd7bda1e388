//! Each law is seen to fail when the code is broken on purpose.
//!
//! Always: every breakage still finds the text that it breaks. With `BREAKAGES` in the environment, those whose law begins
//! so (`L`: the laws of a decision, `learning`: those of what is learned) are applied to a copy of this crate, and the test
//! of the law must fail there (some minutes):
//!
//! ```text
//! BREAKAGES=L cargo test -p floorkeeper-core --test breakages
//! ```

#![allow(clippy::unwrap_used, reason = "a test that can't copy the crate has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One textual change of `src/` and the test that must notice.
struct Breakage {
    law: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    /// Name of the test in `tests/laws/`.
    noticed_by: &'static str,
}

const BREAKAGES: &[Breakage] = &[
    Breakage {
        law: "L1: an unknown signal gives a proof all the same",
        file: "warrant.rs",
        from: "= facts.unknown {",
        to: "= facts.unknown.filter(|_| false) {",
        noticed_by: "no_information::an_unknown_tick_never_ends_below_the_previous_floor",
    },
    Breakage {
        law: "L2: where more than half fails there is nothing to doubt",
        file: "doubts/errors.rs",
        from: "if share > above",
        to: "if share > above && share < 0.5",
        noticed_by: "errors_are_load::more_errors_never_give_less",
    },
    Breakage {
        law: "L3: no raise while in doubt",
        file: "workload/decide.rs",
        from: "        floor.raise(wanted);\n",
        to: "        if proof.is_ok() {\n            floor.raise(wanted);\n        }\n",
        noticed_by: "up_is_free::the_need_stands_after_two_ticks",
    },
    Breakage {
        law: "L3: a partial answer says nothing, not even a lower bound",
        file: "judge.rs",
        from: "return at_least(Unknown::Partial)",
        to: "return unknown(Unknown::Partial)",
        noticed_by: "up_is_free::a_partial_answer_raises_all_the_same",
    },
    Breakage {
        law: "L4: half at a time",
        file: "step.rs",
        from: "(floor / 4).max(1)",
        to: "(floor / 2).max(1)",
        noticed_by: "slow_and_proven::every_fall_is_small_and_proven",
    },
    Breakage {
        law: "L4: a window that is not full is no doubt",
        file: "doubts/mod.rs",
        from: "    found.extend(window::doubt(facts));\n",
        to: "    let _ = window::doubt(facts);\n",
        noticed_by: "slow_and_proven::every_fall_is_small_and_proven",
    },
    Breakage {
        law: "L4: the next step does not wait for the last to be verified",
        file: "workload/decide.rs",
        from: "            && !exhausted\n        {\n            return Some(Hold::Verifying",
        to: "            && exhausted\n        {\n            return Some(Hold::Verifying",
        noticed_by: "slow_and_proven::every_fall_is_small_and_proven",
    },
    Breakage {
        law: "L4: harm is not taken back",
        file: "workload/decide.rs",
        from: "if watch == Watch::Harmful\n",
        to: "if watch == Watch::Clear\n",
        noticed_by: "slow_and_proven::harm_takes_the_step_back",
    },
    Breakage {
        law: "L4: the scaler's minimum comes down before the floor is stored",
        file: "plan.rs",
        from: "let enforced = floor.max(stored.unwrap_or(0));\n    let is_stored = stored == Some(floor);",
        to: "let (enforced, is_stored) = (floor, stored.is_some());",
        noticed_by: "slow_and_proven::every_fall_is_small_and_proven",
    },
    Breakage {
        law: "L4: while zero is held against nothing, steps that could not be stored add up",
        file: "workload/decide.rs",
        from: "if let Some(stored) = self.stored_above(from) {",
        to: "if let Some(stored) = self.stored_above(from).filter(|_| false) {",
        noticed_by: "slow_and_proven::what_could_not_be_stored_does_not_add_up",
    },
    Breakage {
        law: "L5: a process that has just begun has a full window",
        file: "doubts/mod.rs",
        from: "    found.extend(window::doubt(facts));\n",
        to: "    let _ = window::doubt(facts);\n",
        noticed_by: "restart::without_the_past_nothing_falls_for_a_window",
    },
    Breakage {
        law: "L5: only the floor is taken over, not what holds it",
        file: "workload.rs",
        from: "self.standing = row.clone();",
        to: "self.standing = Standing::at(row.replicas, now);",
        noticed_by: "slow_and_proven::harm_takes_the_step_back",
    },
    Breakage {
        law: "L5: who was ready before the restart is forgotten",
        file: "workload.rs",
        from: "self.assumed_ready = row.replicas;",
        to: "self.assumed_ready = 0;",
        noticed_by: "restart::in_the_middle_of_trouble_nothing_falls",
    },
    Breakage {
        law: "L6: trouble holds for ever",
        file: "guards/held.rs",
        from: "(!facts.overdue() && !facts.exhausted())",
        to: "true",
        noticed_by: "true_zero::the_floor_is_at_its_minimum_in_time",
    },
    Breakage {
        law: "L7: an order never expires",
        file: "guards/override_order.rs",
        from: "overrides.iter().filter(|order| now < order.until).max_by_key",
        to: "overrides.iter().filter(|order| now < Timestamp::NEVER || now < order.until).max_by_key",
        noticed_by: "a_person_wins::an_order_is_obeyed_at_once_and_expires",
    },
    Breakage {
        law: "L9: a hold without a reason",
        file: "workload/decide.rs",
        from: "                    self.pace.pause(now);\n                    Some(hold)\n",
        to: "                    self.pace.pause(now);\n                    Some(hold).filter(|_| false)\n",
        noticed_by: "slow_and_proven::every_fall_is_small_and_proven",
    },
    Breakage {
        law: "L10: one sample is believed",
        file: "guards/live_demand.rs",
        from: "raw.min(at_once.max(twice))",
        to: "raw.max(at_once.min(twice))",
        noticed_by: "one_bad_sample::a_spike_of_one_tick_at_most_doubles",
    },
    Breakage {
        law: "learning: an outage teaches what is usual",
        file: "history.rs",
        from: "let suspect = tick.falling.is_some() || self.usual(now).is_some_and(|usual| usual.unusual);",
        to: "let suspect = false;",
        noticed_by: "learned::an_outage_never_teaches",
    },
    Breakage {
        law: "learning: missing is zero",
        file: "history/past.rs",
        from: "let known = self.heard[window.clone()].iter().all(|&heard| heard == signals);",
        to: "let known = signals > 0;",
        noticed_by: "learned::a_gap_never_teaches",
    },
    Breakage {
        law: "learning: noise at night teaches",
        file: "history.rs",
        from: "let little = self.peaks.height(now) * QUIET;",
        to: "let little = self.peaks.height(now) * QUIET / 100.0;",
        noticed_by: "learned::quiet_hours_never_teach",
    },
    Breakage {
        law: "learning: one bad day sets what is usual",
        file: "history/days.rs",
        from: "let rank = self.repeated - usize::from(self.count < A_WEEK && self.repeated > 1);",
        to: "let rank = 1;",
        noticed_by: "learned::one_bad_day_or_two_set_nothing_and_three_do",
    },
    Breakage {
        law: "learning: what is learned meanwhile ends a fall",
        file: "doubts/fall.rs",
        from: "if facts.unknown.is_none() && facts.is_back {",
        to: "if facts.is_back || facts.usual.is_some() {",
        noticed_by: "learned::learning_never_lowers_a_floor_that_is_held",
    },
    Breakage {
        law: "learning: who sees nothing learns that there is nothing",
        file: "history.rs",
        from: "        if !tick.known {\n            return;\n        }\n",
        to: "",
        noticed_by: "learned::blind_ticks_teach_nothing_to_nobody",
    },
    Breakage {
        law: "learning: what was stored is not read",
        file: "history/learned.rs",
        from: "if place.number < day.day {",
        to: "if place.number > day.day {",
        noticed_by: "learned::a_restart_with_stored_history_changes_nothing",
    },
    Breakage {
        law: "learning: a clock that is set right begins anew",
        file: "history.rs",
        from: "if last.since(now) > A_LITTLE {",
        to: "if last.since(now) > Duration::ZERO {",
        noticed_by: "learned::a_clock_that_is_set_right_forgets_nothing",
    },
    Breakage {
        law: "learning: nothing learned passes for something",
        file: "history.rs",
        from: "if !self.days.enough() || !self.peaks.covers_all() {",
        to: "if self.days.enough() {",
        noticed_by: "learned::without_history_the_constant_rule_holds",
    },
    Breakage {
        law: "learning: a quiet hour is no proof of anything",
        file: "history.rs",
        from: ".filter(|usual| !usual.quiet)",
        to: "",
        noticed_by: "learned::in_a_quiet_hour_nothing_learned_lets_go",
    },
    Breakage {
        law: "learning: a fall within a fall is no news",
        file: "workload/decide.rs",
        from: "*fall = Onset { replicas: fall.replicas.max(onset.replicas), ..onset };",
        to: "let _ = (fall, onset);",
        noticed_by: "learned::a_fall_within_a_fall_is_held_like_any_other",
    },
    Breakage {
        law: "learning: what is gone at once passes for a crowd that leaves",
        file: "history.rs",
        from: "if span != IN_SHORT {",
        to: "if span < SPANS {",
        noticed_by: "lessons::a_crowd_that_leaves_slowly_is_over_and_one_that_is_gone_at_once_may_be_lost",
    },
    Breakage {
        law: "learning: one day sets what two weeks say",
        file: "history/days.rs",
        from: ".clamp(LOWEST_LEVEL, 1.0)",
        to: ".clamp(0.0, 1.0)",
        noticed_by: "lessons::after_a_quieter_day_less_is_usual_but_not_after_an_outage",
    },
];

#[test]
fn every_breakage_finds_what_it_breaks() {
    for Breakage { law, file, from, to, .. } in BREAKAGES {
        let source = fs::read_to_string(here().join("src").join(file)).unwrap();
        assert_eq!(source.matches(from).count(), 1, "{law}: `{from}` stands not once in {file}");
        assert_ne!(from, to);
    }
}

#[test]
fn every_law_has_one() {
    for law in ["L1", "L2", "L3", "L4", "L5", "L6", "L7", "L9", "L10", "learning"] {
        assert!(BREAKAGES.iter().any(|breakage| breakage.law.starts_with(&format!("{law}:"))), "{law}");
    }
}

#[test]
fn broken_on_purpose_each_law_fails() {
    let Ok(wanted) = std::env::var("BREAKAGES") else { return };
    let copy = Copy::new();
    assert!(copy.laws("").0, "the laws must hold before anything is broken");
    let mut unnoticed = Vec::new();
    for Breakage { law, file, from, to, noticed_by } in
        BREAKAGES.iter().filter(|breakage| breakage.law.starts_with(&wanted))
    {
        let path = copy.root.join("crates/core/src").join(file);
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, whole.replacen(from, to, 1)).unwrap();
        let (held, output) = copy.laws(noticed_by);
        let noticed = !held && output.contains(&format!("test {noticed_by} ... FAILED"));
        println!("{} {law}", if noticed { "noticed  " } else { "UNNOTICED" });
        if !noticed {
            unnoticed.push(format!("{law}\n{output}"));
        }
        fs::write(&path, whole).unwrap();
    }
    assert!(unnoticed.is_empty(), "not noticed: {}", unnoticed.join("\n"));
}

/// This crate alone in a workspace of its own.
struct Copy {
    root: PathBuf,
}

impl Copy {
    fn new() -> Self {
        let root = std::env::temp_dir().join(format!("floorkeeper-breakages-{}", std::process::id()));
        let workspace = here().join("../..");
        copy_tree(&here().join("src"), &root.join("crates/core/src"));
        copy_tree(&here().join("tests/laws"), &root.join("crates/core/tests/laws"));
        fs::copy(workspace.join("Cargo.lock"), root.join("Cargo.lock")).unwrap();

        // What the workspace says of all its members, without the others.
        let manifest = fs::read_to_string(workspace.join("Cargo.toml")).unwrap();
        let (shared, _) = manifest.split_once("\n[package]").unwrap();
        let members = shared.lines().find(|line| line.starts_with("members")).unwrap();
        let alone = shared.replace(members, "members = [\"crates/core\"]");
        fs::write(root.join("Cargo.toml"), alone + "\n[profile.dev.package.floorkeeper-core]\nopt-level = 1\n")
            .unwrap();

        let manifest = fs::read_to_string(here().join("Cargo.toml")).unwrap();
        let (own, _) = manifest.split_once("\n[dev-dependencies]").unwrap();
        let needed = "\n[dev-dependencies]\nproptest.workspace = true\n";
        fs::write(root.join("crates/core/Cargo.toml"), own.to_owned() + needed).unwrap();
        Self { root }
    }

    /// Whether the laws whose names begin so hold, and what was said.
    fn laws(&self, filter: &str) -> (bool, String) {
        let output = Command::new(env!("CARGO"))
            .args(["test", "--offline", "--package", "floorkeeper-core", "--test", "laws", "--", filter])
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", self.root.join("target"))
            .env("PROPTEST_MAX_SHRINK_ITERS", "0")
            .env("RUST_BACKTRACE", "0")
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        (output.status.success(), said)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // What is left in the temporary directory is no failure.
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
