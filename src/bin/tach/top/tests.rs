//! Frames of fixed snapshots.

use super::draw::{Palette, draw};
use super::sample::{Process, Sample};
use super::state::{Key, State};
use super::{frame, lines};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};
use tach::reader::Life;
use tach::{Registry, Snapshot, Unit};

/// A server, at two moments ten seconds apart.
fn server() -> [Snapshot; 2] {
    let registry = Registry::new();
    let tokens = registry.counter("maxserve.num_output_tokens").build().unwrap();
    let running = registry.updown_counter("maxserve.num_requests_running").build().unwrap();
    let queued = registry.gauge("maxserve.num_requests_queued").build().unwrap();
    let kv = registry.gauge("maxserve.kv_usage").unit(Unit::Ratio).build().unwrap();
    let ttft = registry.histogram("maxserve.time_to_first_token").unit(Unit::Milliseconds).build().unwrap();
    let itl = registry.histogram("maxserve.itl").unit(Unit::Milliseconds).build().unwrap();
    registry.counter("maxserve.preemptions").build().unwrap();
    running.add(12);
    queued.set(3.0);
    kv.set(0.453);
    tokens.add(1_000);
    ttft.record(900_000_000);
    itl.record_n(50_000_000, 1_000);
    let before = registry.snapshot();
    tokens.add(12_340);
    (0..100).for_each(|n| ttft.record(100_000_000 + n * 1_000_000));
    (0..1_000).for_each(|n| itl.record(10_000_000 + n * 10_000));
    [before, registry.snapshot()]
}

/// A process that has other metrics.
fn other() -> [Snapshot; 2] {
    let registry = Registry::new();
    let jobs = registry.counter("jobs").labels(["queue"]).build().unwrap();
    let sizes = registry.histogram("size").unit(Unit::Bytes).build().unwrap();
    registry.gauge("never_set").build().unwrap();
    jobs.with(["mail"]).add(5);
    let before = registry.snapshot();
    jobs.with(["mail"]).add(50);
    (0..20).for_each(|n| sizes.record(1_000 * n));
    [before, registry.snapshot()]
}

fn state(processes: &[(&str, Option<Life>, [Snapshot; 2])], interval: u64) -> State {
    let start = Instant::now();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
    let sample = |index: usize| {
        let after = Duration::from_secs(interval * index as u64);
        let process = |(number, (name, life, snapshots)): (usize, &(&str, Option<Life>, [Snapshot; 2]))| Process {
            id: [number as u64, 0],
            name: (*name).to_owned(),
            life: *life,
            created: time - Duration::from_secs(90),
            faults: 0,
            snapshot: own(&snapshots[index]),
        };
        let processes = processes.iter().enumerate().map(process).collect();
        Sample { taken: start + after, time: time + after, processes, troubles: Vec::new() }
    };
    let mut state = State::new("/dev/shm/tach".to_owned(), sample(0));
    state.look(sample(1));
    state
}

/// Without the engine's own metrics, which a segment does not have.
fn own(snapshot: &Snapshot) -> Snapshot {
    let names = snapshot.series().map(|one| one.name().to_owned()).filter(|name| !name.starts_with("tach_"));
    snapshot.of_metrics(&names.collect())
}

fn servers() -> State {
    let one = server();
    state(
        &[
            ("all", None, one.clone()),
            ("worker-0 [4711]", Some(Life::Running), one),
            ("mailer [4712]", Some(Life::Died), other()),
        ],
        10,
    )
}

fn on_terminal(state: &State, columns: u16, rows: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    let draw = |frame: &mut ratatui::Frame<'_>| {
        draw(state, Palette { is_coloured: true }, frame.area(), frame.buffer_mut());
    };
    terminal.draw(draw).unwrap();
    lines(terminal.backend().buffer())
}

/// Against a file beside this one; `TACH_WRITE_GOLDEN=1` writes it.
fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin/tach/top/golden").join(name);
    if std::env::var_os("TACH_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, golden, "\n{text}\nis not {}\n{golden}", path.display());
}

#[test]
fn a_server_is_shown_by_what_it_is_looked_at_for() {
    let mut state = servers();
    assert_golden("now.txt", &on_terminal(&state, 100, 28).join("\n"));
    state.press(Key::Toggle);
    assert_golden("since_start.txt", &on_terminal(&state, 100, 28).join("\n"));
}

#[test]
fn other_processes_are_shown_by_rates_and_quantiles() {
    let mailer = other();
    let state = state(&[("all", None, mailer.clone()), ("mailer [4712]", Some(Life::Stuck), mailer)], 2);
    assert_golden("other.txt", &frame(&state, 90));
}

#[test]
fn keys_choose_and_what_is_chosen_stays() {
    let mut state = servers();
    let chosen = |state: &State| {
        let lines = state.lines();
        state.metric_index(&lines).map(|index| lines[index].name.clone())
    };
    assert_eq!(chosen(&state).unwrap(), "maxserve_itl_milliseconds");
    assert!(state.press(Key::Up));
    assert_eq!(chosen(&state).unwrap(), "maxserve_itl_milliseconds", "the first line");
    state.press(Key::Down);
    assert_eq!(chosen(&state).unwrap(), "maxserve_kv_usage_ratio");
    assert!(on_terminal(&state, 100, 28).iter().any(|line| line == "maxserve_kv_usage_ratio: no distribution"));
    (0..100).for_each(|_| assert!(state.press(Key::Down)));
    assert_eq!(chosen(&state).unwrap(), "maxserve_time_to_first_token_milliseconds");

    (0..100).for_each(|_| assert!(state.press(Key::Right)));
    assert_eq!(state.process_index(), 2);
    assert_eq!(chosen(&state).unwrap(), "size_bytes", "the other process has no such metric");
    // The one in front goes; the chosen one stays.
    let mut sample = state.sample().clone();
    sample.processes.remove(1);
    state.look(sample);
    assert_eq!(state.process_index(), 1);
    let mut sample = state.sample().clone();
    sample.processes.truncate(1);
    state.look(sample);
    assert_eq!(state.process_index(), 0, "all of them, when it has gone");
    assert!(!state.press(Key::Quit));
}

#[test]
fn a_pause_holds_the_picture() {
    let mut state = servers();
    let before = on_terminal(&state, 100, 28);
    state.press(Key::Pause);
    let mut sample = state.sample().clone();
    sample.processes.truncate(1);
    state.look(sample.clone());
    let paused = on_terminal(&state, 100, 28);
    assert!(paused[0].ends_with("now - paused"), "{}", paused[0]);
    assert_eq!(paused[1..], before[1..]);
    state.press(Key::Pause);
    state.look(sample);
    assert_eq!(state.sample().processes.len(), 1);
}

#[test]
fn there_is_a_colour_only_where_there_may_be() {
    let state = servers();
    let area = Rect::new(0, 0, 100, 28);
    let coloured = |is_coloured: bool| {
        let mut buffer = Buffer::empty(area);
        draw(&state, Palette { is_coloured }, area, &mut buffer);
        let is_coloured = |cell: &&ratatui::buffer::Cell| cell.fg != Color::Reset || cell.bg != Color::Reset;
        buffer.content().iter().filter(is_coloured).count()
    };
    assert!(coloured(true) > 0);
    assert_eq!(coloured(false), 0);
}

#[test]
fn every_size_has_a_picture() {
    let state = servers();
    for columns in [0, 1, 2, 7, 10, 20, 39, 80, 300] {
        for rows in [0, 1, 2, 3, 5, 8, 13, 23, 24, 25, 100] {
            let area = Rect::new(0, 0, columns, rows);
            draw(&state, Palette { is_coloured: true }, area, &mut Buffer::empty(area));
        }
    }
}

#[test]
fn a_printed_frame_has_all_processes_and_metrics_and_no_control_characters() {
    let one = server();
    let names: Vec<String> = (0..60).map(|n| format!("p{n:02}\x1b[2J")).collect();
    let processes: Vec<_> = names.iter().map(|name| (name.as_str(), Some(Life::Running), one.clone())).collect();
    let text = frame(&state(&processes, 1), 100);
    for n in 0..60 {
        assert!(text.contains(&format!("p{n:02}\\u{{1b}}[2J")), "{n}: {text}");
    }
    assert!(text.contains("maxserve_time_to_first_token_milliseconds"));
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
}
