//! What the condition `Enforced` says of each state, and what would change it.

use super::conditions::{FALSE, Says, TRUE, UNKNOWN};
use crate::api::Mode;
use crate::api::conditions::{ENFORCED, enforced};
use crate::apply::enforcement::{Enforcement, Trial, Wish};

pub(super) fn says(mode: Mode, enforcement: &Enforcement) -> Says {
    let says = |status, reason, message: &str| Says { kind: ENFORCED, status, reason, message: message.to_owned() };
    match mode {
        Mode::Observe => {
            return says(FALSE, enforced::OBSERVE, "mode Observe enforces nothing: choose Guard or Autoscale");
        }
        Mode::Guard | Mode::Autoscale => {}
    }
    match enforcement {
        Enforcement::Checking => {
            says(UNKNOWN, enforced::CHECKING, "whether the API server keeps writes above the floor is being tried")
        }
        Enforcement::NothingToTry => says(
            UNKNOWN,
            enforced::NOTHING_TO_TRY,
            "there is no floor above zero yet on which to try whether the API server keeps it",
        ),
        Enforcement::NotAsked => says(
            FALSE,
            enforced::BY_WATCH,
            "floorkeeper puts back what is written below the floor, the API server lets such writes in: to have it \
             refuse them, kubectl label namespace NAMESPACE floorkeeper.dev/enforce=clamp",
        ),
        Enforcement::LabelNotUnderstood(value) => Says {
            kind: ENFORCED,
            status: FALSE,
            reason: enforced::LABEL_NOT_UNDERSTOOD,
            message: format!(
                "the namespace's label floorkeeper.dev/enforce is {value:?}: write clamp, deny or warn; until then \
                 nothing is enforced"
            ),
        },
        Enforcement::WarnOnly => says(
            FALSE,
            enforced::WARN_ONLY,
            "the API server warns of writes below the floor and lets them in, floorkeeper puts them back: the \
             namespace's label floorkeeper.dev/enforce is warn",
        ),
        Enforcement::Tried(Trial::Refused { clamps: true }, _) => says(
            TRUE,
            enforced::BY_ADMISSION,
            "the API server refuses an order below the floor, and raises what deploys and scalers bring",
        ),
        Enforcement::Tried(Trial::Refused { clamps: false }, Wish::Clamp) => says(
            FALSE,
            enforced::PARTIAL,
            "the API server refuses an order below the floor and raises nothing: MutatingAdmissionPolicy \
             floorkeeper-clamp is not in force here (from Kubernetes 1.36, kubectl apply -k deploy; of custom kinds it \
             can raise deploys, not what scalers write). floorkeeper puts back what lands below the floor",
        ),
        Enforcement::Tried(Trial::Refused { clamps: false }, Wish::Deny) => says(
            FALSE,
            enforced::DENY_ONLY,
            "the API server refuses an order below the floor; a deploy that brings fewer replicas lands and is put \
             back by floorkeeper: the label floorkeeper.dev/enforce=clamp covers it, from Kubernetes 1.36",
        ),
        Enforcement::Tried(Trial::LetIn { covered: true }, _) => says(
            FALSE,
            enforced::POLICY_MISSING,
            "the namespace asks for it, and the API server would have let a write below the floor in: are the policies \
             there (kubectl apply -k deploy), and is the FloorTable's kind? floorkeeper puts such writes back",
        ),
        Enforcement::Tried(Trial::LetIn { covered: false }, _) => says(
            FALSE,
            enforced::KIND_NOT_COVERED,
            "the admission policies do not cover this kind of workload: docs/enforcement.md says how to add it; \
             floorkeeper puts back what is written below the floor",
        ),
        Enforcement::Tried(Trial::Failed(why), _) => Says {
            kind: ENFORCED,
            status: UNKNOWN,
            reason: enforced::TRIAL_FAILED,
            message: format!("whether the API server keeps the floor could not be tried: {why}"),
        },
    }
}
