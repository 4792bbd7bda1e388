//! One page that shows everything that was played: a matrix of scenarios and scalers, and a chart for each run.
//!
//! Text in, text out. The page is one file without any request to anywhere: style, script and pictures are in it. It is
//! read on a phone and at a desk, by day and by night, with a keyboard, and by people who see colours differently.

mod chart;
mod escape;
mod frontier;
mod headline;
mod lines;
mod matrix;
mod page;
mod picture;

pub use frontier::{Mark, Panel, frontier};
pub use headline::{Headline, headlines};
pub use page::{About, Note, Page};
pub use picture::{Caption, Picture, Reason};

#[cfg(test)]
mod tests;
