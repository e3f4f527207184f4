//! `tach top`: what the processes of a directory record, as they do.

mod curve;
mod draw;
mod sample;
mod screen;
mod state;
#[cfg(test)]
mod tests;
mod watch;

use super::args::Top;
use super::outcome::{Done, Stop};
use draw::{Palette, draw, rows};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use state::State;
use std::io::{self, IsTerminal};
use std::thread::sleep;
use watch::Watch;

/// Columns of a frame that is printed, unless `COLUMNS` says otherwise.
const COLUMNS: u16 = 110;

pub(crate) fn run(options: &Top) -> Result<Done, Stop> {
    let mut watch = Watch::new(&options.dir)?;
    let state = State::new(options.dir.display().to_string(), watch.look());
    if options.once || !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return once(options, watch, state);
    }
    screen::run(options.interval, watch, state)
}

/// One frame, of the time between two looks.
fn once(options: &Top, mut watch: Watch, mut state: State) -> Result<Done, Stop> {
    sleep(options.interval);
    state.look(watch.look());
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let columns = columns.unwrap_or(COLUMNS).clamp(40, 500);
    super::outcome::print(&frame(&state, columns))
}

/// A frame as text, with all processes and metrics, and without the line of keys.
fn frame(state: &State, columns: u16) -> String {
    let area = Rect::new(0, 0, columns, rows(state).max(24));
    let mut buffer = Buffer::empty(area);
    draw(state, Palette { is_coloured: false }, area, &mut buffer);
    let mut text = lines(&buffer);
    text.pop();
    text.join("\n") + "\n"
}

/// A picture's lines, without their trailing blanks.
fn lines(buffer: &Buffer) -> Vec<String> {
    let columns = usize::from(buffer.area().width);
    let line = |cells: &[ratatui::buffer::Cell]| {
        cells.iter().map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned()
    };
    buffer.content().chunks(columns).map(line).collect()
}
