//! Who scales: floorkeeper in its two modes, and its peers.

use core::fmt;
use core::str::FromStr;

/// One scaler that can be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scaler {
    /// floorkeeper alone, mode Autoscale.
    Floorkeeper,
    /// floorkeeper in mode Guard of an HPA on CPU.
    FloorkeeperGuard,
    HpaCpu,
    HpaLoad,
    Keda,
    KedaNullError,
    KedaFallback,
    KedaFallbackCurrentIfHigher,
    Tortoise,
    Estafette,
    StaticPeak,
    Oracle,
}

impl Scaler {
    /// In the order of tables.
    pub const ALL: [Self; 12] = [
        Self::Floorkeeper,
        Self::FloorkeeperGuard,
        Self::HpaCpu,
        Self::HpaLoad,
        Self::Keda,
        Self::KedaNullError,
        Self::KedaFallback,
        Self::KedaFallbackCurrentIfHigher,
        Self::Tortoise,
        Self::Estafette,
        Self::StaticPeak,
        Self::Oracle,
    ];

    /// As in tables and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Floorkeeper => "floorkeeper",
            Self::FloorkeeperGuard => "floorkeeper-guard",
            Self::HpaCpu => "hpa-cpu",
            Self::HpaLoad => "hpa-load",
            Self::Keda => "keda",
            Self::KedaNullError => "keda-null-error",
            Self::KedaFallback => "keda-fallback",
            Self::KedaFallbackCurrentIfHigher => "keda-fallback-current-if-higher",
            Self::Tortoise => "tortoise",
            Self::Estafette => "estafette",
            Self::StaticPeak => "static-peak",
            Self::Oracle => "oracle",
        }
    }

    #[must_use]
    pub fn is_floorkeeper(self) -> bool {
        matches!(self, Self::Floorkeeper | Self::FloorkeeperGuard)
    }
}

impl fmt::Display for Scaler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Scaler {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|scaler| scaler.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|scaler| scaler.name()).collect();
            format!("no scaler `{text}`; there are {}", names.join(", "))
        })
    }
}
