//! What was seen during a play, thinned out for a picture.

use crate::traffic::Frame;

/// Frames, at most one for each [`STEP`] minutes, and every one in which a replica count changed.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    pub(super) points: Vec<Point>,
}

/// One moment of all lanes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    pub minute: f64,
    pub need: u32,
    /// Ready replicas, in the lanes' order.
    pub ready: Vec<u32>,
}

impl History {
    pub(super) fn add(&mut self, frame: &Frame) {
        let point = Point {
            minute: frame.minute,
            need: frame.need,
            ready: frame.lanes.iter().map(|lane| lane.ready).collect(),
        };
        let news = self.points.last().is_none_or(|last| {
            point.minute - last.minute >= STEP || last.ready != point.ready || last.need != point.need
        });
        if news {
            self.points.push(point);
        }
    }
}

/// A pixel of the picture is about half a minute.
const STEP: f64 = 2.0;
