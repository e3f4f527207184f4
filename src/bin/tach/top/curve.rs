//! The curve of a distribution: values over percentiles, with as much room for 99 to 99.9 as for 90 to 99.

use super::super::human::value;
use super::draw::Palette;
use super::sample::Line;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::Text;
use ratatui::widgets::{Axis, Chart, Dataset, GraphType, Widget};

/// What stands below the axis at each nine.
const NINES: [&str; 6] = ["0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"];
/// Points of the curve to each nine.
const POINTS: usize = 40;

pub(super) fn draw(line: &Line, palette: Palette, area: Rect, buffer: &mut Buffer) {
    // A blank line above, the title, the curve, and what stands below its axis.
    let [_, title, chart, below] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(1), Constraint::Min(1), Constraint::Length(1)])
            .areas(area);
    let Some(histogram) = line.histogram.as_ref().filter(|histogram| histogram.count() > 0) else {
        let why = if line.histogram.is_some() { "nothing recorded in this time" } else { "no distribution" };
        Text::raw(format!("{}: {why}", line.name)).style(Modifier::DIM).render(title, buffer);
        return;
    };
    let values = histogram.count();
    let mean = value(histogram.mean(), line.unit);
    let text = format!("{}: {values} values, mean {mean}", line.name);
    Text::raw(text).style(Modifier::BOLD).render(title, buffer);
    let nines = nines(values);
    let points: Vec<(f64, f64)> = (0..=nines * POINTS)
        .map(|point| point as f64 / POINTS as f64)
        .map(|x| (x, histogram.quantile(1.0 - 0.1_f64.powf(x))))
        .collect();
    // From zero, so that heights can be compared.
    let top = points.iter().map(|(_, y)| *y).fold(0.0, f64::max);
    let top = if top > 0.0 { top } else { 1.0 };
    let data = Dataset::default()
        .marker(Marker::Braille)
        .graph_type(GraphType::Line)
        .style(palette.colour(Color::Cyan))
        .data(&points);
    let labels = [0.0, top / 2.0, top].map(|y| value(y, line.unit));
    // The chart has no even places for labels below it.
    let left = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0) as u16 + 1;
    let wide = below.width.saturating_sub(left + 1);
    for (nine, label) in NINES[..=nines].iter().enumerate() {
        let at = left + (usize::from(wide) * nine / nines) as u16;
        let len = label.len() as u16;
        let at = at.saturating_sub(len / 2).clamp(left, (left + wide + 1).saturating_sub(len).max(left));
        let room = usize::from(below.width.saturating_sub(at));
        buffer.set_stringn(below.x + at, below.y, label, room, Style::new());
    }
    Chart::new(vec![data])
        .x_axis(Axis::default().bounds([0.0, nines as f64]))
        .y_axis(Axis::default().bounds([0.0, top]).labels(labels))
        .legend_position(None)
        .render(chart, buffer);
}

/// How far it goes: to where ten values decide, and to 99 % at least.
fn nines(values: u64) -> usize {
    (values.max(1).ilog10() as usize).clamp(2, NINES.len() - 1)
}
