//! What a `FloorOverride` must say.

use super::{Mistake, Reader};
use crate::api::{FloorOverrideSpec, OverrideAction, limits, text};

/// Every mistake in an override, as the API server finds them.
#[must_use]
pub fn mistakes_of_override(spec: &FloorOverrideSpec) -> Vec<Mistake> {
    let mut reader = Reader::default();
    let applies = [spec.policy.is_some(), spec.selector.is_some(), spec.whole_namespace];
    if applies.into_iter().filter(|one| *one).count() != 1 {
        reader.mistake(
            "spec",
            "say what it applies to, exactly one of: policy (a name), selector (labels of policies), wholeNamespace: true",
        );
    }
    reader.text("spec.policy", spec.policy.as_deref(), text::OBJECT_NAME);
    if spec.selector.as_ref().is_some_and(|selector| {
        selector.match_labels.as_ref().is_none_or(|labels| labels.is_empty())
            && selector.match_expressions.as_ref().is_none_or(|expressions| expressions.is_empty())
    }) {
        reader.mistake(
            "spec.selector",
            "an empty selector would choose every policy: write labels, or wholeNamespace: true",
        );
    }
    if (spec.action == OverrideAction::Pin) != spec.replicas.is_some() {
        reader.mistake("spec", "Pin needs replicas, Freeze and Release must not have them");
    }
    reader.count("spec.replicas", spec.replicas, 0, MOST_REPLICAS);
    if spec.until.is_some() == spec.lasts.is_some() {
        reader.mistake("spec", "say how long: for (such as 30m) or until (a time), exactly one of them");
    }
    reader.span("spec.for", spec.lasts.as_ref(), limits::OVERRIDE_LASTS);
    if spec.reason.trim().is_empty() {
        reader.mistake("spec.reason", "say why the order is given, for those who find it at night");
    }
    reader.mistakes
}

/// The bound of the schema.
const MOST_REPLICAS: u32 = 100_000;
