//! The terminal: the other screen, the keys, and leaving both as they were.

use super::super::outcome::{Done, Stop};
use super::draw::{Palette, draw};
use super::state::{Key, State};
use super::watch::Watch;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, poll, read};
use ratatui::DefaultTerminal;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::time::{Duration, Instant};

/// How often a signal to end is looked for.
const PATIENCE: Duration = Duration::from_millis(200);

/// Gives the terminal back however this ends; a panic is told after that, by the hook that `ratatui` sets.
struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

pub(super) fn run(interval: Duration, watch: Watch, state: State) -> Result<Done, Stop> {
    let signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let mut terminal = ratatui::try_init()?;
    let _guard = Guard;
    show(&mut terminal, interval, watch, state, signals)
}

fn show(
    terminal: &mut DefaultTerminal,
    interval: Duration,
    mut watch: Watch,
    mut state: State,
    mut signals: Signals,
) -> Result<Done, Stop> {
    let is_coloured = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut next = Instant::now() + interval;
    while signals.pending().next().is_none() {
        terminal.draw(|frame| draw(&state, Palette { is_coloured }, frame.area(), frame.buffer_mut()))?;
        let wait = next.saturating_duration_since(Instant::now()).min(PATIENCE);
        // A new size ends the wait too, and is drawn for.
        if poll(wait)?
            && let Event::Key(event) = read()?
            && event.kind != KeyEventKind::Release
            && let Some(key) = key(event)
            && !state.press(key)
        {
            break;
        }
        if Instant::now() >= next {
            state.look(watch.look());
            next = Instant::now() + interval;
        }
    }
    Ok(Done::Fine)
}

fn key(event: KeyEvent) -> Option<Key> {
    Some(match event.code {
        KeyCode::Char('c') if event.modifiers.contains(KeyModifiers::CONTROL) => Key::Quit,
        KeyCode::Char('q') | KeyCode::Esc => Key::Quit,
        KeyCode::Char('k') | KeyCode::Up => Key::Up,
        KeyCode::Char('j') | KeyCode::Down => Key::Down,
        KeyCode::Char('h') | KeyCode::Left => Key::Left,
        KeyCode::Char('l') | KeyCode::Right => Key::Right,
        KeyCode::Char(' ') => Key::Pause,
        KeyCode::Char('t') => Key::Toggle,
        _ => return None,
    })
}
