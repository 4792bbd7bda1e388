//! What several rooms of tests play on: the operator as a process, and a namespace for it to keep.

#![allow(dead_code, reason = "each room takes what it needs")]

pub(crate) mod operator;
pub(crate) mod shop;
