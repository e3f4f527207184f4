//! The picture: who there is, what they record, and the curve of one metric.

use super::super::human::{count, life, printable, value};
use super::curve;
use super::sample::{Line, Quantiles, Serving, Span};
use super::state::State;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Text;
use ratatui::widgets::{Cell, Row, StatefulWidget, Table, TableState, Widget};
use tach::reader::Life;

/// Rows of the curve, where there is room for it.
const CURVE_ROWS: u16 = 12;
const KEYS: &str = "q quit  j k metric  h l process  t now/since start  space pause";
const SERVING: [&str; 8] = ["TOK/S", "RUN", "QUEUE", "KV", "TTFT P50", "P99", "ITL P50", "P99"];
const METRIC: [&str; 7] = ["METRIC", "RATE/S", "VALUE", "P50", "P90", "P99", "MAX"];

/// Which colours there may be: none, where `NO_COLOR` is set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Palette {
    pub(super) is_coloured: bool,
}

impl Palette {
    pub(super) fn colour(self, colour: Color) -> Style {
        if self.is_coloured { Style::new().fg(colour) } else { Style::new() }
    }
}

/// How many rows it takes to show all there is.
pub(super) fn rows(state: &State) -> u16 {
    let lines = 5 + state.sample().processes.len() + state.sample().troubles.len() + state.lines().len();
    u16::try_from(lines).unwrap_or(u16::MAX).saturating_add(CURVE_ROWS).min(2_000)
}

pub(super) fn draw(state: &State, palette: Palette, area: Rect, buffer: &mut Buffer) {
    let processes = u16::try_from(state.sample().processes.len()).unwrap_or(u16::MAX).saturating_add(2);
    let troubles = u16::try_from(state.sample().troubles.len()).unwrap_or(u16::MAX).min(3);
    // Where all is to be shown, there is room for all; on a terminal the metrics have at least half of it.
    let of_processes = if area.height >= rows(state) { processes } else { processes.min((area.height / 3).max(3)) };
    let of_curve = if area.height >= 24 { CURVE_ROWS } else { 0 };
    let parts = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(troubles),
        Constraint::Length(of_processes),
        Constraint::Min(2),
        Constraint::Length(of_curve),
        Constraint::Length(1),
    ]);
    let [head, said, who, what, curve, keys] = parts.areas(area);
    Text::raw(title(state)).style(Modifier::BOLD).render(head, buffer);
    let text: Vec<String> = state.sample().troubles.iter().map(|trouble| printable(trouble)).collect();
    Text::raw(text.join("\n")).style(palette.colour(Color::Red)).render(said, buffer);
    draw_processes(state, palette, who, buffer);
    let lines = state.lines();
    let chosen = state.metric_index(&lines);
    draw_metrics(&lines, chosen, what, buffer);
    if let Some(line) = chosen.map(|chosen| &lines[chosen]).filter(|_| curve.height > 0) {
        curve::draw(line, palette, curve, buffer);
    }
    Text::raw(KEYS).style(Modifier::DIM).render(keys, buffer);
}

fn title(state: &State) -> String {
    let alive = |process: &&super::sample::Process| process.life.is_some_and(Life::is_alive);
    let all = state.sample().processes.iter().filter(|process| process.life.is_some());
    let (all, alive) = (all.count(), state.sample().processes.iter().filter(alive).count());
    let span = if state.is_whole { "since the start" } else { "now" };
    let paused = if state.is_paused { " - paused" } else { "" };
    format!("tach {} - {alive} of {all} processes alive - {span}{paused}", printable(&state.place))
}

fn draw_processes(state: &State, palette: Palette, area: Rect, buffer: &mut Buffer) {
    let processes = &state.sample().processes;
    let spans: Vec<Span> = processes.iter().map(|process| state.span(process)).collect();
    let serving: Vec<Option<Serving>> = spans.iter().map(Span::serving).collect();
    let is_serving = serving.iter().any(Option::is_some);
    let mut widths = vec![Constraint::Fill(1), Constraint::Length(8)];
    let mut head = vec!["PROCESS", "STATE"];
    if is_serving {
        widths.extend([7, 5, 5, 6, 9, 8, 9, 8].map(Constraint::Length));
        head.extend(SERVING);
    }
    let rows = processes.iter().zip(serving).map(|(process, serving)| {
        let state = process.life.map_or("", life);
        let style = match process.life {
            Some(Life::Died) => palette.colour(Color::Red),
            Some(Life::Stuck) => palette.colour(Color::Yellow),
            _ => Style::new(),
        };
        let faults = if process.faults > 0 { " !" } else { "" };
        let cells = serving.map_or_else(Vec::new, |serving| cells(&serving).to_vec());
        let cells = cells.into_iter().map(right);
        let name = format!("{}{faults}", printable(&process.name));
        Row::new([Cell::new(name), Cell::new(state)].into_iter().chain(cells)).style(style)
    });
    let table = Table::new(rows, widths).header(header(&head, 2)).row_highlight_style(Modifier::BOLD);
    let mut chosen = TableState::new().with_selected(state.process_index());
    StatefulWidget::render(table.highlight_symbol(">"), area, buffer, &mut chosen);
}

fn cells(serving: &Serving) -> [String; 8] {
    let plain = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), count);
    let quantile = |of: Option<Quantiles>, q: fn(&Quantiles) -> f64| {
        of.map_or_else(|| "-".to_owned(), |quantiles| value(q(&quantiles), quantiles.unit))
    };
    [
        plain(serving.tokens),
        plain(serving.running),
        plain(serving.queued),
        serving.kv.map_or_else(|| "-".to_owned(), |kv| format!("{:.1} %", kv * 100.0)),
        quantile(serving.ttft, |quantiles| quantiles.p50),
        quantile(serving.ttft, |quantiles| quantiles.p99),
        quantile(serving.itl, |quantiles| quantiles.p50),
        quantile(serving.itl, |quantiles| quantiles.p99),
    ]
}

fn draw_metrics(lines: &[Line], chosen: Option<usize>, area: Rect, buffer: &mut Buffer) {
    let rows = lines.iter().map(|line| {
        let of = |number: f64| value(number, line.unit);
        let quantile = |q: f64| line.histogram.as_ref().map_or_else(String::new, |histogram| of(histogram.quantile(q)));
        let cells = [
            line.rate.map_or_else(String::new, count),
            line.value.map_or_else(String::new, of),
            quantile(0.5),
            quantile(0.9),
            quantile(0.99),
            quantile(1.0),
        ];
        Row::new([Cell::new(line.name.clone())].into_iter().chain(cells.map(right)))
    });
    let widths = [Constraint::Fill(1)].into_iter().chain([7, 9, 9, 9, 9, 9].map(Constraint::Length));
    let table = Table::new(rows, widths).header(header(&METRIC, 1)).row_highlight_style(Modifier::BOLD);
    let mut state = TableState::new().with_selected(chosen);
    StatefulWidget::render(table.highlight_symbol(">"), area, buffer, &mut state);
}

/// The first `left` ones to the left, the others to the right.
fn header(names: &[&'static str], left: usize) -> Row<'static> {
    let cell = |(index, name): (usize, &&'static str)| if index < left { Cell::new(*name) } else { right(*name) };
    Row::new(names.iter().enumerate().map(cell)).style(Modifier::REVERSED)
}

fn right(text: impl Into<Text<'static>>) -> Cell<'static> {
    Cell::new(text.into().right_aligned())
}
