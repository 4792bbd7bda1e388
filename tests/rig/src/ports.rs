//! Loopback ports for servers. A port that the kernel just gave and we gave back may go to somebody else's outgoing
//! connection before our server binds it; so ports come from below the usual ephemeral range, each held by a file lock
//! that other rigs of this user respect and that the kernel frees when the process ends.

use std::fs::{File, TryLockError};
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context as _, Result, bail};

use crate::cache;

/// A leased port on 127.0.0.1.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    pub(crate) fn lease() -> Result<Self> {
        let locks = cache::directory()?.join("ports");
        std::fs::create_dir_all(&locks).with_context(|| format!("{}", locks.display()))?;
        let span = LAST - FIRST;
        // Start at a different place in each process and time, so that parallel rigs seldom try the same port.
        let seed = std::process::id()
            .wrapping_mul(7919)
            .wrapping_add(std::time::UNIX_EPOCH.elapsed().unwrap_or_default().subsec_nanos());
        for step in 0..span {
            let number =
                FIRST + u16::try_from((seed % u32::from(span) + u32::from(step)) % u32::from(span)).unwrap_or(0);
            let lock = File::create(locks.join(number.to_string()))?;
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(error)) => return Err(error).context("could not lock a port"),
            }
            if TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Ok(Self { number, _lock: lock });
            }
        }
        bail!("no free port between {FIRST} and {LAST} on 127.0.0.1")
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

/// Linux hands out 32768-60999 to outgoing connections, macOS 49152-65535.
const FIRST: u16 = 20_000;
const LAST: u16 = 30_000;
