//! Forms of short texts that several kinds share: each used by the API server's rule and by the parse.

use kube::core::Rule;

/// The form of a short text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pattern: &'static str,
    fits: fn(&str) -> bool,
    message: &'static str,
}

impl Form {
    pub(crate) fn rule(self) -> Rule {
        Rule::new(format!("self.matches('{}')", self.pattern)).message(self.message)
    }

    /// What to write instead, if the text does not fit.
    pub(crate) fn check(self, text: &str) -> Result<(), String> {
        if (self.fits)(text) {
            return Ok(());
        }
        let shown: String = text.chars().take(SHOWN).collect();
        Err(format!("{shown:?}: {}", self.message))
    }
}

/// The name of an object.
pub(crate) const OBJECT_NAME: Form = Form {
    pattern: "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
    fits: |text| fits_name(text, |b| b.is_ascii_lowercase() || b.is_ascii_digit(), b"-."),
    message: "write the name of an object: lower case letters, digits, '-' and '.'",
};

/// The name of a namespace.
pub(crate) const NAMESPACE: Form = Form {
    pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
    fits: SHORT_NAME.fits,
    message: "write the name of a namespace: lower case letters, digits and '-'",
};

/// A name inside a list: it appears in status, metrics and messages.
pub(crate) const SHORT_NAME: Form = Form {
    pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
    fits: |text| fits_name(text, |b| b.is_ascii_lowercase() || b.is_ascii_digit(), b"-"),
    message: "write a short name: lower case letters, digits and '-', such as \"edge-requests\"",
};

/// The name of a Prometheus label.
pub(crate) const LABEL_NAME: Form = Form {
    pattern: "^[a-zA-Z_][a-zA-Z0-9_]*$",
    fits: |text| {
        !text.starts_with(|c: char| c.is_ascii_digit())
            && fits_name(text, |b| b.is_ascii_alphanumeric() || b == b'_', b"")
    },
    message: "write the name of a label, such as \"namespace\" or \"deployment\"",
};

/// Group and version.
pub(crate) const API_VERSION: Form = Form {
    pattern: "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[0-9]+((alpha|beta)[0-9]+)?$",
    fits: fits_api_version,
    message: "write group and version, such as \"apps/v1\"",
};

/// A kind.
pub(crate) const KIND: Form = Form {
    pattern: "^[A-Z][A-Za-z0-9]*$",
    fits: |text| {
        text.starts_with(|c: char| c.is_ascii_uppercase()) && fits_name(text, |b| b.is_ascii_alphanumeric(), b"")
    },
    message: "write a kind in the singular, such as \"Deployment\"",
};

/// `edge` at both ends, `edge` and `inner` between.
fn fits_name(text: &str, edge: fn(u8) -> bool, inner: &[u8]) -> bool {
    let bytes = text.as_bytes();
    let ends = bytes.first().is_some_and(|b| edge(*b)) && bytes.last().is_some_and(|b| edge(*b));
    ends && bytes.iter().all(|b| edge(*b) || inner.contains(b))
}

fn fits_api_version(text: &str) -> bool {
    let version = match text.split_once('/') {
        Some((group, _)) if (OBJECT_NAME.fits)(group) => &text[group.len() + 1..],
        Some(_) => return false,
        None => text,
    };
    let Some(version) = version.strip_prefix('v') else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    ["alpha", "beta"]
        .iter()
        .find_map(|stage| version.split_once(stage))
        .map_or_else(|| digits(version), |(major, minor)| digits(major) && digits(minor))
}

/// Characters of a wrong text that a message shows.
const SHOWN: usize = 64;
