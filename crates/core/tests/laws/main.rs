//! The laws, each over random histories.
//!
//! `PROPTEST_CASES` says how many histories a law is tried on, `PROPTEST_RNG_SEED` where they start; without them both
//! are fixed, so that a run means the same everywhere.

#![allow(clippy::unwrap_used, reason = "what is missing from a test's world is the test's fault")]

mod a_person_wins;
mod anything;
mod books;
mod errors_are_load;
mod fleets;
mod gone;
mod idles;
mod learned;
mod lessons;
mod no_information;
mod one_bad_sample;
mod reasons;
mod rest;
mod restart;
mod slow_and_proven;
mod story;
mod timelines;
mod told_in_any_order;
mod true_zero;
mod up_is_free;
mod world;
mod writes;
