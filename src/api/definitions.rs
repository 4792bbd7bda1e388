//! The CustomResourceDefinitions, as installed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

use super::{DemandHistory, FloorOverride, FloorTable, MetricSource, ScalingPolicy};

/// Every kind's definition, in the order in which they are installed.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    let mut crds =
        vec![ScalingPolicy::crd(), MetricSource::crd(), FloorOverride::crd(), FloorTable::crd(), DemandHistory::crd()];
    for schema in crds.iter_mut().flat_map(|crd| &mut crd.spec.versions).filter_map(|version| version.schema.as_mut()) {
        schema.open_api_v3_schema.iter_mut().for_each(tidy);
    }
    crds
}

/// Makes one schema and all in it what people and the API server read best.
fn tidy(schema: &mut JSONSchemaProps) {
    // A field that is not nullable has an explicit `null` pruned: it means "left out", as its author meant it.
    schema.nullable = None;
    if let Some(description) = &mut schema.description {
        *description = unwrapped(description);
    }
    schema.properties.iter_mut().flat_map(|properties| properties.values_mut()).for_each(tidy);
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => tidy(items),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(tidy),
        None => {}
    }
    match &mut schema.additional_properties {
        Some(JSONSchemaPropsOrBool::Schema(values)) => tidy(values),
        Some(JSONSchemaPropsOrBool::Bool(_)) | None => {}
    }
}

/// One line a paragraph: `kubectl explain` breaks lines by itself, where the terminal ends.
fn unwrapped(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_stay_and_lines_do_not() {
        assert_eq!(unwrapped("one\ntwo\n\nthree"), "one two\n\nthree");
    }

    #[test]
    fn no_schema_has_a_format_that_the_api_server_does_not_know() {
        let text = serde_json::to_string(&crds()).unwrap();
        for format in ["uint", "\"format\":\"double\"", "\"format\":\"float\"", "nullable"] {
            assert!(!text.contains(format), "{format} is in a definition");
        }
    }
}
