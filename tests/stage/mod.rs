//! What several rooms of tests play on: the operator as a process, a way between it and the API server, a namespace for
//! it to keep, and an eye on what stands there.

#![allow(dead_code, reason = "each room takes what it needs")]

pub(crate) mod operator;
pub(crate) mod proxy;
pub(crate) mod record;
pub(crate) mod shop;
