//! Choices of a scenario's shape as parameters, each with a few values.

use serde::{Deserialize, Serialize};

use super::{Scenario, ScenarioError};

/// One choice and what else it could have been.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sweep {
    /// As it shows in the variant's id: `S1a/errorCpu=0.3`.
    pub name: String,
    /// Where the number stands in the file, as JSON pointers: `/faults/0/service/errors/errorCpu`. All get the same value.
    pub at: Vec<String>,
    pub values: Vec<f64>,
}

impl Scenario {
    /// The scenario once for each value of each sweep, everything else as it is.
    ///
    /// # Errors
    /// A pointer that points to no number of the file, or a value that makes no sense there.
    pub fn variants(&self) -> Result<Vec<Self>, ScenarioError> {
        let mut variants = Vec::new();
        for (index, sweep) in self.sweep.iter().enumerate() {
            for value in &sweep.values {
                let variant = self.variant(sweep, *value).map_err(|what| ScenarioError::Value {
                    id: self.id.clone(),
                    field: format!("sweep[{index}]"),
                    what,
                })?;
                variant.check()?;
                variants.push(variant);
            }
        }
        Ok(variants)
    }

    fn variant(&self, sweep: &Sweep, value: f64) -> Result<Self, String> {
        let mut whole = serde_json::to_value(self).map_err(|error| error.to_string())?;
        for pointer in &sweep.at {
            let place = whole.pointer_mut(pointer).filter(|place| place.is_number());
            let place = place.ok_or_else(|| format!("`{pointer}` points to no number of this file"))?;
            // A count stays a count.
            *place = match place.is_f64() {
                true => serde_json::json!(value),
                false => serde_json::json!(crate::number::replicas(value)),
            };
        }
        let variant: Self = serde_json::from_value(whole).map_err(|error| error.to_string())?;
        Ok(Self { id: format!("{}/{}={value}", self.id, sweep.name), sweep: Vec::new(), ..variant })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_is_the_scenario_with_another_number() {
        let mut scenario = crate::find("S1a").unwrap();
        let at = |pointers: &[&str], values: &[f64]| Sweep {
            name: "x".to_owned(),
            at: pointers.iter().map(|pointer| (*pointer).to_owned()).collect(),
            values: values.to_vec(),
        };
        scenario.sweep = vec![at(&["/service/capacity", "/minutes"], &[400.0, 500.0])];
        let variants = scenario.variants().unwrap();
        let seen: Vec<_> = variants.iter().map(|one| (one.id.as_str(), one.service.capacity, one.minutes)).collect();
        assert_eq!(seen, [("S1a/x=400", 400.0, 400), ("S1a/x=500", 500.0, 500)]);
        scenario.sweep = vec![at(&["/service/capaciti"], &[1.0])];
        assert!(scenario.variants().unwrap_err().to_string().contains("points to no number"));
        scenario.sweep = vec![at(&["/service/capacity"], &[0.0])];
        assert!(scenario.variants().unwrap_err().to_string().contains("above zero"));
    }
}
