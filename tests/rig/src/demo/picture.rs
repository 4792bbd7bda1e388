//! A picture of a run, as SVG by hand: the need and the replicas of the services, the fault shaded. Readable on light and dark
//! pages and at the width of a README.

use std::fmt::Write as _;

use floorkeeper_sim::Scenario;

use super::history::{History, Point};
use crate::traffic::{Keeper, LaneReport};

pub(super) fn svg(scenario: &Scenario, reports: &[LaneReport], history: &History) -> String {
    let scale = Scale::of(scenario, history);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n{STYLE}",
        escaped(&format!("Replicas of {} services during {}", reports.len(), scenario.title))
    );
    // Writing to a String can't fail, here and below.
    let _ = writeln!(svg, "<rect class=\"page\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"8\"/>");
    if let Some((from, to)) = scenario.fault_span() {
        let (x, width) = (scale.x(from), scale.x(to) - scale.x(from));
        let _ = writeln!(
            svg,
            "<rect class=\"fault\" x=\"{x:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{:.1}\"/>",
            BOTTOM - TOP
        );
        let (from_clock, to_clock) = (scenario.clock(from), scenario.clock(to));
        let _ = writeln!(
            svg,
            "<text class=\"note\" x=\"{:.1}\" y=\"{:.1}\">the error, {from_clock}-{to_clock} UTC</text>",
            x + 8.0,
            TOP + 18.0
        );
    }
    axes(&mut svg, scenario, &scale);
    let need = steps(&scale, history, |point| point.need);
    let _ = writeln!(svg, "<path class=\"need\" d=\"{need}\"/>");
    for (place, run) in reports.iter().enumerate() {
        let line = steps(&scale, history, |point| point.ready.get(place).copied().unwrap_or(0));
        let _ = writeln!(svg, "<path class=\"line {}\" d=\"{line}\"/>", class(run.lane.keeper));
    }
    legend(&mut svg, reports);
    svg.push_str("</svg>\n");
    svg
}

/// From minutes and replicas to the page.
struct Scale {
    minutes: f64,
    most: f64,
}

impl Scale {
    fn of(scenario: &Scenario, history: &History) -> Self {
        let counts = history.points.iter().flat_map(|point| point.ready.iter().copied().chain([point.need]));
        let most = f64::from(counts.max().unwrap_or(1)) * 1.15;
        Self { minutes: f64::from(scenario.minutes), most: (most / 5.0).ceil().max(1.0) * 5.0 }
    }

    fn x(&self, minute: f64) -> f64 {
        LEFT + (RIGHT - LEFT) * (minute / self.minutes).clamp(0.0, 1.0)
    }

    fn y(&self, replicas: u32) -> f64 {
        BOTTOM - (BOTTOM - TOP) * f64::from(replicas) / self.most
    }
}

fn axes(svg: &mut String, scenario: &Scenario, scale: &Scale) {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of replicas")]
    let most = scale.most as usize;
    for replicas in (0..=most).step_by(5) {
        let y = scale.y(u32::try_from(replicas).unwrap_or(0));
        let _ = writeln!(svg, "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>");
        let _ =
            writeln!(svg, "<text class=\"tick end\" x=\"{:.1}\" y=\"{:.1}\">{replicas}</text>", LEFT - 8.0, y + 4.0);
    }
    let _ = writeln!(svg, "<text class=\"tick\" x=\"{LEFT}\" y=\"{:.1}\">ready replicas</text>", TOP - 10.0);
    // The first full hour after minute 0, then each hour.
    let first = 60.0 - (scenario.start() / 60.0).rem_euclid(60.0);
    let mut minute = first.rem_euclid(60.0);
    while minute <= scale.minutes {
        let x = scale.x(minute);
        let _ = writeln!(
            svg,
            "<text class=\"tick middle\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
            BOTTOM + 18.0,
            scenario.clock(minute)
        );
        minute += 60.0;
    }
}

fn legend(svg: &mut String, reports: &[LaneReport]) {
    let mut x = LEFT;
    let y = BOTTOM + 46.0;
    let _ = writeln!(
        svg,
        "<path class=\"need\" d=\"M{x:.1} {y:.1}h22\"/><text class=\"label\" x=\"{:.1}\" y=\"{:.1}\">needed</text>",
        x + 28.0,
        y + 4.0
    );
    x += 96.0;
    for run in reports {
        let (title, minutes) = (run.lane.keeper.title(), run.report.unsafe_minutes);
        let verdict =
            if minutes > 0.0 { format!("{:.0} unsafe min", minutes.ceil()) } else { "never unsafe".to_owned() };
        let (class, text_x) = (class(run.lane.keeper), x + 28.0);
        let _ = writeln!(svg, "<path class=\"line {class}\" d=\"M{x:.1} {y:.1}h22\"/>");
        let _ = writeln!(svg, "<text class=\"label\" x=\"{text_x:.1}\" y=\"{:.1}\">{title}</text>", y + 4.0);
        let _ = writeln!(svg, "<text class=\"tick\" x=\"{text_x:.1}\" y=\"{:.1}\">{verdict}</text>", y + 21.0);
        x += 182.0;
    }
}

/// A line of steps: a count stands until the next one.
fn steps(scale: &Scale, history: &History, count: impl Fn(&Point) -> u32) -> String {
    let mut path = String::new();
    let mut last = None;
    for (place, point) in history.points.iter().enumerate() {
        let (x, y) = (scale.x(point.minute), scale.y(count(point)));
        let end = place + 1 == history.points.len();
        if place == 0 {
            let _ = write!(path, "M{x:.1} {y:.1}");
        } else if last != Some(count(point)) {
            let _ = write!(path, "H{x:.1}V{y:.1}");
        } else if end {
            let _ = write!(path, "H{x:.1}");
        }
        last = Some(count(point));
    }
    path
}

fn class(keeper: Keeper) -> &'static str {
    match keeper {
        Keeper::HpaCpu => "cpu",
        Keeper::HpaSameSignal => "edge",
        Keeper::Guard => "guard",
        Keeper::Alone => "alone",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 44.0;
const RIGHT: f64 = 844.0;
const TOP: f64 = 36.0;
const BOTTOM: f64 = 318.0;

/// Colours that people with colour-blindness tell apart (Okabe and Ito's), lighter on dark pages; dashes tell the two
/// services of floorkeeper apart where their lines lie on each other.
const STYLE: &str = "<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.page { fill: #ffffff; }
.fault { fill: #d55e00; opacity: .12; }
.note { fill: #b04e00; }
.grid { stroke: #8886; stroke-width: .5; fill: none; }
.tick { font-size: 12px; fill: #656d76; }
.end { text-anchor: end; } .middle { text-anchor: middle; }
.need { fill: none; stroke: #656d76; stroke-width: 1.5; stroke-dasharray: 2 3; }
.line { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
.cpu { stroke: #d55e00; } .edge { stroke: #cc79a7; } .guard { stroke: #0072b2; } .alone { stroke: #009e73; stroke-dasharray: 7 4; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .page { fill: #0d1117; } .note { fill: #ff9d5c; } .tick { fill: #9198a1; } .need { stroke: #9198a1; }
.cpu { stroke: #ff8c42; } .edge { stroke: #e69ac8; } .guard { stroke: #56b4e9; } .alone { stroke: #2fd3a0; }
}
</style>
";

#[cfg(test)]
mod tests {
    use floorkeeper_sim::Measure;

    use super::*;
    use crate::traffic::Lane;

    #[test]
    fn the_picture_has_a_line_for_each_service_and_the_fault() {
        let scenario = floorkeeper_sim::find("S1a").unwrap();
        let reports: Vec<LaneReport> = [Keeper::HpaCpu, Keeper::Guard]
            .map(|keeper| LaneReport {
                lane: Lane::new(keeper),
                report: Measure::new(1.0).report(),
                first_alarm: None,
                kept_at_return: None,
                stood: None,
                broken: Vec::new(),
            })
            .into();
        let point = |minute, ready: u32| Point { minute, need: 14, ready: vec![ready, 17] };
        let history = History { points: vec![point(0.0, 17), point(20.0, 17), point(40.0, 4), point(350.0, 4)] };
        let svg = svg(&scenario, &reports, &history);
        assert_eq!(svg.matches("<path class=\"line").count(), 4, "two lines, two in the legend");
        assert!(svg.contains("the error, 01:36-06:49 UTC") && svg.contains(">02:00<") && svg.ends_with("</svg>\n"));
        let cpu = steps(&Scale::of(&scenario, &history), &history, |point| point.ready[0]);
        assert_eq!(cpu.matches('V').count(), 1, "one step: {cpu}");
        assert!(cpu.ends_with("H844.0"), "{cpu}");
    }
}
