//! What a process has used, as `/proc` tells.

use anyhow::{Context as _, Result};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Usage {
    pub(super) cpu_seconds: f64,
    pub(super) resident_mb: f64,
    pub(super) peak_mb: f64,
}

pub(super) fn usage(pid: u32) -> Result<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("/proc tells nothing of the process")?;
    // The name in brackets may hold blanks: fields are counted from behind it. utime and stime are the 14th and 15th.
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let mb = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or_default() / 1024.0
    };
    Ok(Usage {
        cpu_seconds: (ticks(11) + ticks(12)) / TICKS_A_SECOND,
        resident_mb: mb("VmRSS:"),
        peak_mb: mb("VmHWM:"),
    })
}

/// `USER_HZ`: 100 on every Linux that there is.
const TICKS_A_SECOND: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_something() {
        let used = usage(std::process::id()).unwrap();
        assert!(used.resident_mb > 1.0 && used.peak_mb >= used.resident_mb * 0.9, "{used:?}");
    }
}
