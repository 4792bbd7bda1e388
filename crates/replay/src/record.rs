//! What comes out of a run: one flat object for each scenario, trace, policy, seed and scaler.

use floorkeeper_sim::scenario::Class;
use serde::{Deserialize, Serialize};

/// Everything that was played, as `--format json` prints it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Runs {
    pub runs: Vec<Run>,
}

/// How one scaler came through one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub scenario: String,
    #[serde(with = "class")]
    pub class: Class,
    /// `generated`, or the name of the file.
    pub trace: String,
    pub policy: String,
    pub seed: u64,
    pub scaler: String,
    /// Minutes with fewer replicas in service than the load needs.
    pub unsafe_minutes: f64,
    /// Replicas at the moment at which the load comes back, as a share of what it needs then. Only for scenarios with such
    /// a moment.
    pub kept_at_return_percent: Option<f64>,
    /// Share of the offered load that the replicas in service could not carry.
    pub unmet_percent: f64,
    /// Replicas short at worst.
    pub deficit_max: u32,
    /// The longest time on end with too few replicas.
    pub restore_seconds: f64,
    pub replica_hours: f64,
    /// Replica-hours above those of the oracle.
    pub extra_over_oracle_percent: f64,
    pub theta_u: f64,
    pub theta_o: f64,
    pub tau_u: f64,
    pub tau_o: f64,
    pub upsilon: f64,
    /// The scenario's pass condition is kept. Alarms are asked of floorkeeper only.
    pub passed: bool,
}

/// The class as tables and JSON have it.
#[must_use]
pub fn class_name(class: Class) -> &'static str {
    match class {
        Class::Lying => "lying",
        Class::Dip => "dip",
        Class::FaultFree => "fault-free",
    }
}

mod class {
    use floorkeeper_sim::scenario::Class;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub(super) fn serialize<S: Serializer>(class: &Class, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(super::class_name(*class))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Class, D::Error> {
        let name = String::deserialize(from)?;
        [Class::Lying, Class::Dip, Class::FaultFree]
            .into_iter()
            .find(|class| super::class_name(*class) == name)
            .ok_or_else(|| D::Error::custom(format!("`{name}` is no class: lying, dip or fault-free")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_the_promised_fields_and_is_read_back() {
        let scenario = floorkeeper_sim::find("S7").unwrap();
        let run = Run {
            scenario: scenario.id,
            class: Class::FaultFree,
            trace: "generated".to_owned(),
            policy: "minimal".to_owned(),
            seed: 0,
            scaler: "oracle".to_owned(),
            unsafe_minutes: 0.0,
            kept_at_return_percent: None,
            unmet_percent: 0.0,
            deficit_max: 0,
            restore_seconds: 0.0,
            replica_hours: 1.0,
            extra_over_oracle_percent: 0.0,
            theta_u: 0.0,
            theta_o: 0.0,
            tau_u: 0.0,
            tau_o: 0.0,
            upsilon: 0.0,
            passed: true,
        };
        let runs = Runs { runs: vec![run] };
        let value = serde_json::to_value(&runs).unwrap();
        assert_eq!(value["runs"][0]["class"], "fault-free");
        assert_eq!(value["runs"][0].as_object().unwrap().len(), 19);
        assert_eq!(serde_json::from_value::<Runs>(value).unwrap(), runs);
    }
}
