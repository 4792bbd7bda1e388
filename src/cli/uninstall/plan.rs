//! What there is to do, in order. Pure.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::ResourceExt as _;
use kube::core::DynamicObject;

use crate::apply;
use crate::cli::terminal::{Terminal, Tone};
use crate::observe;

/// The order: each rests on those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// A running floorkeeper would put everything back.
    Stop,
    /// A floor that the API server keeps would refuse what its owner may do.
    Admission,
    Scalers,
    Marks,
    /// What it ran with.
    Installed,
    /// With the kinds go all objects of them.
    Kinds,
}

impl Stage {
    fn title(self) -> &'static str {
        match self {
            Self::Stop => "stop it, so that nothing is put back",
            Self::Admission => "admission policies and their bindings go: the API server keeps no floor any more",
            Self::Scalers => "scalers get their owner's bounds back: from then on they alone decide, replicas may fall",
            Self::Marks => "annotations on workloads, and on HPAs that KEDA copied them to, go",
            Self::Installed => "what was installed with it goes",
            Self::Kinds => "kinds go, and all policies, overrides, sources and floors with them",
        }
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) stage: Stage,
    pub(super) says: String,
    pub(super) act: Act,
}

/// How it is done. Every write is conditional on the object being the one that was seen.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Act {
    /// To zero replicas, and wait until no pod is left.
    Stop(Thing),
    Delete(Thing),
    GiveBack(Box<HorizontalPodAutoscaler>),
    GiveObjectBack(Box<DynamicObject>),
    /// Remove an annotation of ours.
    Unmark(Thing, &'static str),
}

/// An object by its path, and that it is this one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Thing {
    /// Of the collection: `/apis/apps/v1/namespaces/shop/deployments`.
    pub(super) path: String,
    pub(super) kind: &'static str,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) version: String,
}

impl Thing {
    pub(super) fn of_hpa(hpa: &HorizontalPodAutoscaler) -> Self {
        let namespace = hpa.namespace().unwrap_or_default();
        Self {
            path: format!("/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers"),
            kind: "HPA",
            namespace: Some(namespace),
            name: hpa.name_any(),
            uid: hpa.uid().unwrap_or_default(),
            version: hpa.resource_version().unwrap_or_default(),
        }
    }

    pub(super) fn says(&self) -> String {
        let namespace = self.namespace.as_deref().map_or_else(String::new, |namespace| format!("{namespace}/"));
        format!("{} {namespace}{}", self.kind, self.name)
    }
}

/// What is there of floorkeeper.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Found {
    pub(super) deployment: Option<Thing>,
    pub(super) admission: Vec<Thing>,
    pub(super) hpas: Vec<HorizontalPodAutoscaler>,
    pub(super) scaled_objects: Vec<DynamicObject>,
    /// Each with the annotation.
    pub(super) marked: Vec<(Thing, &'static str)>,
    pub(super) installed: Vec<Thing>,
    /// Each with the count of its objects.
    pub(super) kinds: Vec<(Thing, usize)>,
}

pub(super) fn plan(found: Found) -> Vec<Step> {
    let Found { deployment, admission, hpas, scaled_objects, marked, installed, kinds } = found;
    let mut steps = Vec::new();
    let mut add = |stage, says: String, act| steps.push(Step { stage, says, act });
    if let Some(thing) = deployment {
        add(Stage::Stop, format!("{} to 0 replicas", thing.says()), Act::Stop(thing));
    }
    for thing in admission {
        add(Stage::Admission, thing.says(), Act::Delete(thing));
    }
    for hpa in hpas {
        let name = format!("{}/{}", hpa.namespace().unwrap_or_default(), hpa.name_any());
        if apply::is_own_hpa(&hpa) {
            let says = format!("HPA {name}: floorkeeper made it, it goes; replicas stay");
            add(Stage::Scalers, says, Act::Delete(Thing::of_hpa(&hpa)));
        } else if let Some(owner) = apply::owner_bounds(&hpa) {
            let (min, max) = (hpa.spec.min_replicas.unwrap_or(1), hpa.spec.max_replicas);
            let says = format!("HPA {name}: {min} to {max} becomes {} to {}", owner.min, owner.max);
            add(Stage::Scalers, says, Act::GiveBack(Box::new(hpa)));
        }
    }
    for object in scaled_objects {
        let Some(owner) = apply::owner_bounds_of_scaled_object(&object) else { continue };
        let now = observe::scaled_object(&object, None).bounds();
        let name = format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any());
        let says = format!("ScaledObject {name}: {} to {} becomes {} to {}", now.min, now.max, owner.min, owner.max);
        add(Stage::Scalers, says, Act::GiveObjectBack(Box::new(object)));
    }
    for (thing, annotation) in marked {
        add(Stage::Marks, thing.says(), Act::Unmark(thing, annotation));
    }
    for thing in installed {
        add(Stage::Installed, thing.says(), Act::Delete(thing));
    }
    for (thing, count) in kinds {
        let objects = if count == 1 { "1 object".to_owned() } else { format!("{count} objects") };
        add(Stage::Kinds, format!("{} with {objects}", thing.name), Act::Delete(thing));
    }
    steps
}

/// The plan as it is shown before anything is done.
pub(super) fn text(steps: &[Step], terminal: Terminal) -> String {
    if steps.is_empty() {
        return "Nothing of floorkeeper is in this cluster.\n".to_owned();
    }
    let mut text = "This takes floorkeeper out of the cluster, in this order:\n".to_owned();
    let mut last = None;
    let mut number = 0;
    for step in steps {
        if last != Some(step.stage) {
            number += 1;
            text += &format!("{}\n", terminal.paint(Tone::Bold, &format!("{number}. {}", step.stage.title())));
            last = Some(step.stage);
        }
        text += &format!("     {}\n", step.says);
    }
    text
}
