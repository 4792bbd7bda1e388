//! The scenarios that come with floorkeeper, in the files of `scenarios/`.

use crate::scenario::{Scenario, ScenarioError};

/// Name (as `--shape` and file names have it) and text of every scenario.
pub const CATALOGUE: &[(&str, &str)] = &[
    ("S1a", include_str!("../scenarios/s1a.yaml")),
    ("S1b", include_str!("../scenarios/s1b.yaml")),
    ("S1c", include_str!("../scenarios/s1c.yaml")),
    ("S1c-lost", include_str!("../scenarios/s1c-lost.yaml")),
    ("S1d", include_str!("../scenarios/s1d.yaml")),
    ("S2", include_str!("../scenarios/s2.yaml")),
    ("S2-wave", include_str!("../scenarios/s2-wave.yaml")),
    ("S3", include_str!("../scenarios/s3.yaml")),
    ("S4", include_str!("../scenarios/s4.yaml")),
    ("S5", include_str!("../scenarios/s5.yaml")),
    ("S6", include_str!("../scenarios/s6.yaml")),
    ("S7", include_str!("../scenarios/s7.yaml")),
    ("S8", include_str!("../scenarios/s8.yaml")),
    ("S9", include_str!("../scenarios/s9.yaml")),
    ("S10", include_str!("../scenarios/s10.yaml")),
    ("S11", include_str!("../scenarios/s11.yaml")),
    ("S12", include_str!("../scenarios/s12.yaml")),
    ("S13", include_str!("../scenarios/s13.yaml")),
    ("S14", include_str!("../scenarios/s14.yaml")),
    ("S15", include_str!("../scenarios/s15.yaml")),
    ("S16", include_str!("../scenarios/s16.yaml")),
    ("S17", include_str!("../scenarios/s17.yaml")),
    ("S18", include_str!("../scenarios/s18.yaml")),
    ("S19", include_str!("../scenarios/s19.yaml")),
    ("S20", include_str!("../scenarios/s20.yaml")),
    ("S21", include_str!("../scenarios/s21.yaml")),
    ("S22", include_str!("../scenarios/s22.yaml")),
    ("S23", include_str!("../scenarios/s23.yaml")),
    ("S24", include_str!("../scenarios/s24.yaml")),
    ("S25", include_str!("../scenarios/s25.yaml")),
    ("week", include_str!("../scenarios/week.yaml")),
    ("noisy", include_str!("../scenarios/noisy.yaml")),
    ("crowd", include_str!("../scenarios/crowd.yaml")),
    ("trend", include_str!("../scenarios/trend.yaml")),
    ("nights", include_str!("../scenarios/nights.yaml")),
    ("batch", include_str!("../scenarios/batch.yaml")),
];

/// The scenario of this name, upper or lower case.
///
/// # Errors
/// No such name: lists those that there are.
pub fn find(name: &str) -> Result<Scenario, ScenarioError> {
    match CATALOGUE.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        Some((_, text)) => Scenario::from_yaml(text),
        None => {
            let names: Vec<&str> = CATALOGUE.iter().map(|(name, _)| *name).collect();
            Err(ScenarioError::Format(format!("no scenario `{name}`; there are {}", names.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Class, Pass};

    #[test]
    fn every_file_can_be_read_and_says_what_it_is() {
        for (name, text) in CATALOGUE {
            let scenario = Scenario::from_yaml(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(scenario.id, *name);
            assert_ne!(scenario.pass, Pass::default(), "{name} has a pass condition");
            assert_eq!(scenario.faults.is_empty(), scenario.class == Class::FaultFree, "{name}");
            let end = scenario.fault_span().map_or(0.0, |(_, to)| to);
            assert!(end <= f64::from(scenario.minutes), "{name}: its faults end inside it");
            assert!(scenario.sweep.iter().all(|sweep| sweep.values.len() == 3), "{name}: three values each");
        }
    }

    #[test]
    fn every_load_fits_the_maximum_with_headroom() {
        for (name, _) in CATALOGUE {
            let scenario = find(name).unwrap();
            let trace = scenario.trace(|path| Err(format!("{path}: embedded scenarios generate their load"))).unwrap();
            let headroom = 1.0 + f64::from(scenario.service.headroom_percent) / 100.0;
            let most = (0..=scenario.minutes)
                .map(|minute| scenario.offered(trace.at(f64::from(minute) * 60.0), f64::from(minute)))
                .fold(0.0, f64::max);
            let need = crate::number::replicas(most * headroom / scenario.service.capacity);
            assert!(need <= scenario.service.max, "{name}: needs {need}, may have {}", scenario.service.max);
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known() {
        assert!(find("S99").unwrap_err().to_string().starts_with("no scenario `S99`; there are S1a, S1b"));
        assert_eq!(find("s1C-LOST").unwrap().id, "S1c-lost");
    }
}
