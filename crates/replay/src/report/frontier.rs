//! The frontier: what is kept for a return against what it costs, one panel for each setting.

use core::fmt::Write as _;

use super::escape::escape;

/// One setting played through.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    pub field: String,
    pub marks: Vec<Mark>,
}

/// One value of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    pub value: String,
    /// Replica-hours above the oracle's, percent.
    pub price: f64,
    /// Share of the need kept for the return, percent, 100 at most, mean of the dips.
    pub kept: f64,
    pub is_default: bool,
}

/// All panels on the same two scales; `others`: who is compared, in words.
#[must_use]
pub fn frontier(panels: &[Panel], others: &[Mark]) -> String {
    let marks = || panels.iter().flat_map(|panel| &panel.marks);
    let least = |of: fn(&Mark) -> f64| marks().map(of).fold(f64::INFINITY, f64::min);
    let most = marks().map(|mark| mark.price).fold(f64::NEG_INFINITY, f64::max);
    let scale = Scale {
        low: (least(|mark| mark.price) - 0.2).floor(),
        high: (most + 0.2).ceil(),
        kept: (((least(|mark| mark.kept) - 10.0) / 25.0).floor() * 25.0).clamp(0.0, 75.0),
    };
    let rows = panels.len().div_ceil(2);
    let height = TOP + rows as f64 * (PANEL_HIGH + GAP_HIGH);
    let others: Vec<String> = others
        .iter()
        .map(|mark| format!("{}: {:.0}% kept at {:+.1}%", escape(&mark.value), mark.kept, mark.price))
        .collect();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"Share of the need \
         kept for a return of traffic against extra replica-hours, for each setting\">\n{STYLE}<rect class=\"page\" \
         width=\"{WIDTH}\" height=\"{height}\" rx=\"8\"/>\n<text class=\"head\" x=\"24\" y=\"32\">What is kept for a return, and what \
         it costs</text>\n<text class=\"soft\" x=\"24\" y=\"54\">up: share of the need that stands when the traffic comes back \
         (mean of nine dips); right: replica-hours above the oracle, dips included</text>\n<text class=\"soft\" x=\"24\" \
         y=\"72\">the same traffic under {}; filled: the default</text>\n",
        others.join(", ")
    );
    for (place, panel) in panels.iter().enumerate() {
        let x = LEFT + (place % 2) as f64 * (PANEL_WIDE + GAP_WIDE);
        let y = TOP + (place / 2) as f64 * (PANEL_HIGH + GAP_HIGH);
        draw(panel, &scale, (x, y), &mut svg);
    }
    svg.push_str("</svg>\n");
    svg
}

/// What a panel reaches over: price from left to right, kept from its bottom to a little above all of the need.
struct Scale {
    low: f64,
    high: f64,
    kept: f64,
}

impl Scale {
    fn x(&self, price: f64) -> f64 {
        PANEL_WIDE * ((price - self.low) / (self.high - self.low).max(1.0)).clamp(0.0, 1.0)
    }

    fn y(&self, kept: f64) -> f64 {
        PANEL_HIGH * (1.0 - (kept.clamp(self.kept, MOST_KEPT) - self.kept) / (MOST_KEPT - self.kept))
    }
}

fn draw(panel: &Panel, scale: &Scale, (left, top): (f64, f64), svg: &mut String) {
    // Writing to a String can't fail.
    let _ = writeln!(
        svg,
        "<g transform=\"translate({left} {top})\"><text class=\"name\" x=\"0\" y=\"-10\">{}</text>",
        escape(&panel.field)
    );
    for kept in [0.0, 25.0, 50.0, 75.0, 100.0].into_iter().filter(|kept| *kept >= scale.kept) {
        let y = scale.y(kept);
        let _ = writeln!(
            svg,
            "<path class=\"grid\" d=\"M0 {y:.1}H{PANEL_WIDE}\"/><text class=\"tick end\" x=\"-6\" y=\"{:.1}\">{kept:.0}%</text>",
            y + 4.0
        );
    }
    let every = ((scale.high - scale.low) / 5.0).max(1.0).ceil();
    let mut price = scale.low;
    while price <= scale.high {
        let x = scale.x(price);
        let _ = writeln!(
            svg,
            "<path class=\"grid\" d=\"M{x:.1} 0V{PANEL_HIGH}\"/><text class=\"tick mid\" x=\"{x:.1}\" y=\"{:.1}\">{price:+.0}%</text>",
            PANEL_HIGH + 16.0
        );
        price += every;
    }
    let at = |mark: &Mark| format!("{:.1} {:.1}", scale.x(mark.price), scale.y(mark.kept));
    let path: Vec<String> = panel.marks.iter().map(at).collect();
    let _ = writeln!(svg, "<path class=\"line\" d=\"M{}\"/>", path.join("L"));
    let mut labels: Vec<(f64, f64)> = Vec::new();
    for mark in &panel.marks {
        let (x, y) = (scale.x(mark.price), scale.y(mark.kept));
        let class = if mark.is_default { "mark default" } else { "mark" };
        let radius = if mark.is_default { 6.5 } else { 4.5 };
        let _ = writeln!(svg, "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>");
        // Above its mark, below it, or further away: where no label stands yet, and no other mark.
        let clear = |place: &(f64, f64)| {
            let apart = |(x, y): (f64, f64), wide: f64| (x - place.0).abs() > wide || (y - place.1).abs() > 15.0;
            labels.iter().all(|label| apart(*label, LABEL_WIDE))
                && panel
                    .marks
                    .iter()
                    .all(|other| apart((scale.x(other.price), scale.y(other.kept) + 4.0), LABEL_WIDE / 3.0))
        };
        let places = [-12.0, 24.0, -30.0, 42.0, -48.0, 60.0, 78.0, 96.0].map(|away| (x, y + away));
        let place = places.into_iter().find(clear).unwrap_or((x, y - 12.0));
        labels.push(place);
        let weight = if mark.is_default { "value bold" } else { "value" };
        let _ = writeln!(
            svg,
            "<text class=\"{weight}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            place.0,
            place.1,
            escape(&mark.value)
        );
    }
    svg.push_str("</g>\n");
}

const WIDTH: f64 = 920.0;

const LEFT: f64 = 64.0;

const TOP: f64 = 116.0;

const PANEL_WIDE: f64 = 370.0;

const PANEL_HIGH: f64 = 220.0;

const GAP_WIDE: f64 = 76.0;

const GAP_HIGH: f64 = 68.0;

/// Two labels closer than this beside each other need a line each.
const LABEL_WIDE: f64 = 62.0;

/// Room above all of the need for the marks' labels.
const MOST_KEPT: f64 = 115.0;

const STYLE: &str = "<style>text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#1a1d21}\
.page{fill:#fff}.head{font-size:18px;font-weight:600}.name{font-size:15px;font-weight:600}.soft,.tick{fill:#5b6470;font-size:12px}\
.end{text-anchor:end}.mid,.value{text-anchor:middle}.bold{font-weight:700}.grid{stroke:#d9dde2;stroke-width:1;fill:none}\
.line{stroke:#0060a8;stroke-width:2;fill:none}.mark{fill:#fff;stroke:#0060a8;stroke-width:2}.default{fill:#0060a8}\
@media (prefers-color-scheme:dark){text{fill:#e8eaed}.page{fill:#14171b}.soft,.tick{fill:#9aa4b0}.grid{stroke:#333a43}\
.line{stroke:#5eb0ff}.mark{fill:#14171b;stroke:#5eb0ff}.default{fill:#5eb0ff}}</style>\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_drawn_once_and_no_label_covers_another() {
        let mark = |value: &str, price: f64, kept: f64| Mark {
            value: value.to_owned(),
            price,
            kept,
            is_default: value == "1h",
        };
        let marks = vec![mark("<30m>", 20.0, 60.0), mark("1h", 20.5, 61.0), mark("2h", 21.0, 60.5)];
        let panels = [Panel { field: "holdFor".to_owned(), marks }];
        let svg = frontier(&panels, &[mark("hpa-load", 18.0, 2.0)]);
        assert_eq!(svg.matches("<circle").count(), 3);
        assert!(svg.contains("&lt;30m&gt;") && svg.contains("value bold") && svg.contains("hpa-load"));
        let heights: Vec<&str> = svg
            .split("<text class=\"value")
            .skip(1)
            .map(|text| text.split("y=\"").nth(1).unwrap().split('"').next().unwrap())
            .collect();
        assert_eq!(heights.len(), 3);
        assert!(heights[0] != heights[1] && heights[1] != heights[2] && heights[0] != heights[2], "{heights:?}");
    }
}
