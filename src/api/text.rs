//! Rules for short texts that several kinds share.

use kube::core::Rule;

/// The rule of an object's name.
pub(super) fn object_name() -> Rule {
    Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')")
        .message("write the name of an object: lower case letters, digits, '-' and '.'")
}

/// The rule of a name inside a list: it appears in status, metrics and messages.
pub(super) fn short_name() -> Rule {
    Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')")
        .message("write a short name: lower case letters, digits and '-', such as \"edge-requests\"")
}

/// The rule of the name of a Prometheus label.
pub(super) fn label_name() -> Rule {
    Rule::new("self.matches('^[a-zA-Z_][a-zA-Z0-9_]*$')")
        .message("write the name of a label, such as \"namespace\" or \"deployment\"")
}

/// The rule of a group and version.
pub(super) fn api_version() -> Rule {
    Rule::new("self.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[0-9]+((alpha|beta)[0-9]+)?$')")
        .message("write group and version, such as \"apps/v1\"")
}

/// The rule of a kind.
pub(super) fn kind() -> Rule {
    Rule::new("self.matches('^[A-Z][A-Za-z0-9]*$')").message("write a kind in the singular, such as \"Deployment\"")
}
