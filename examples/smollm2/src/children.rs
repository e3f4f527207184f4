//! The worker processes: started, told, listened to, started again when they die, and ended.
//!
//! A worker is this program once more, with its orders on standard input and its reports on standard output; what it has
//! to say to people goes to the same standard error. It is in a process group of its own, so that Ctrl-C reaches the API
//! alone, which then ends the workers in order. Nothing outlives the API: a worker ends with its input.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::account::Account;
use crate::wire::{Order, Report, Token};

/// How long workers have for the end: for the step under way, or for the model that one is still loading.
const PATIENCE: Duration = Duration::from_secs(60);

/// What became known of a worker, by its number.
pub(crate) enum Event {
    /// It can be given requests; starting it took so long.
    Ready { worker: usize, context: usize, took: Duration },
    /// It has computed a step.
    Step { worker: usize, tokens: Vec<Token> },
    /// Its model has failed, and so it ends.
    Failed { worker: usize, why: String },
    /// It has stopped, as it was told.
    Done,
    /// It is gone: how, in words.
    Gone { worker: usize, how: String },
}

/// See the module.
pub(crate) struct Children {
    seats: Vec<Seat>,
    arguments: Vec<std::ffi::OsString>,
    /// After which a worker that died is started again.
    pause: Duration,
    give: Sender<(usize, Option<Result<Report>>)>,
    told: Receiver<(usize, Option<Result<Report>>)>,
    /// Of workers that are gone.
    past: Account,
}

/// A worker's place, which the next one of its number takes.
struct Seat {
    running: Option<Running>,
    /// When there is none: when it is to be started.
    due: Instant,
    account: Account,
}

struct Running {
    child: Child,
    input: Option<ChildStdin>,
    began: Instant,
    is_ready: bool,
    is_done: bool,
}

impl Children {
    /// Starts so many, by the arguments of this program.
    pub(crate) fn start(count: usize, pause: Duration) -> Result<Self> {
        let (give, told) = channel();
        let seat = |_| Seat { running: None, due: Instant::now(), account: Account::default() };
        let seats = (0..count).map(seat).collect();
        let arguments = std::env::args_os().skip(1).collect();
        let mut children = Self { seats, arguments, pause, give, told, past: Account::default() };
        children.start_due()?;
        Ok(children)
    }

    /// Starts those whose time has come.
    fn start_due(&mut self) -> Result<()> {
        for worker in 0..self.seats.len() {
            let seat = &self.seats[worker];
            if seat.running.is_none() && Instant::now() >= seat.due {
                let began = Instant::now();
                let mut child = self.spawn(worker).with_context(|| format!("cannot start worker-{worker}"))?;
                let input = child.stdin.take();
                let output = child.stdout.take().context("a worker without an output")?;
                let give = self.give.clone();
                std::thread::Builder::new()
                    .name(format!("from-{worker}"))
                    .spawn(move || listen(worker, output, &give))?;
                self.seats[worker].running = Some(Running { child, input, began, is_ready: false, is_done: false });
            }
        }
        Ok(())
    }

    fn spawn(&self, worker: usize) -> Result<Child> {
        let mut command = Command::new(std::env::current_exe().context("cannot find the program's own file")?);
        command.args(&self.arguments).args(["--worker", &worker.to_string()]);
        Ok(command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0).spawn()?)
    }

    pub(crate) fn count(&self) -> usize {
        self.seats.len()
    }

    /// The number of the process, while there is one.
    pub(crate) fn pid(&self, worker: usize) -> Option<u32> {
        self.seats[worker].running.as_ref().map(|running| running.child.id())
    }

    /// Whether it can be given requests.
    pub(crate) fn is_ready(&self, worker: usize) -> bool {
        self.seats[worker].running.as_ref().is_some_and(|running| running.is_ready && !running.is_done)
    }

    /// Tells a worker. One that is gone does not hear it, which its [`Event::Gone`] will say.
    pub(crate) fn tell(&mut self, worker: usize, order: &Order) {
        if let Some(input) = self.seats[worker].running.as_mut().and_then(|running| running.input.as_mut()) {
            let _ = input.write_all(format!("{order}\n").as_bytes());
        }
    }

    /// What becomes known next; nothing for as long as `patience`, and `None`.
    pub(crate) fn next(&mut self, patience: Duration) -> Result<Option<Event>> {
        self.start_due()?;
        self.hear(patience)
    }

    fn hear(&mut self, patience: Duration) -> Result<Option<Event>> {
        let (worker, report) = match self.told.recv_timeout(patience) {
            Ok(told) => told,
            Err(RecvTimeoutError::Timeout) => return Ok(None),
            Err(RecvTimeoutError::Disconnected) => bail!("nobody is left who could tell anything"),
        };
        let Some(report) = report else {
            let how = self.bury(worker)?;
            return Ok(Some(Event::Gone { worker, how }));
        };
        let report = report.with_context(|| format!("worker-{worker} says what it should not"))?;
        let seat = &mut self.seats[worker];
        let running = seat.running.as_mut().context("a worker that is gone tells something")?;
        Ok(Some(match report {
            Report::Ready { context } => {
                running.is_ready = true;
                Event::Ready { worker, context, took: running.began.elapsed() }
            }
            Report::Step { tokens, account } => {
                seat.account.advance(account);
                Event::Step { worker, tokens }
            }
            Report::Failed(why) => Event::Failed { worker, why },
            Report::Done(account) => {
                running.is_done = true;
                seat.account = Account::exact(account);
                Event::Done
            }
        }))
    }

    /// Takes a worker that is gone off its seat.
    fn bury(&mut self, worker: usize) -> Result<String> {
        let seat = &mut self.seats[worker];
        let mut running = seat.running.take().context("a worker is gone twice")?;
        let how = describe(running.child.wait()?);
        if !running.is_ready {
            bail!("worker-{worker} {how} before it was ready");
        }
        seat.account.end();
        self.past.add(&std::mem::take(&mut seat.account));
        seat.due = Instant::now() + self.pause;
        Ok(how)
    }

    /// Has all leave what they do, and waits until they have recorded everything.
    pub(crate) fn stop(&mut self) -> Result<()> {
        for worker in 0..self.seats.len() {
            self.tell(worker, &Order::Stop);
        }
        let deadline = Instant::now() + PATIENCE;
        while self.seats.iter().flat_map(|seat| &seat.running).any(|running| !running.is_done) {
            let left = deadline.saturating_duration_since(Instant::now());
            if self.hear(left)?.is_none() {
                bail!("a worker does not stop within {} s", PATIENCE.as_secs());
            }
        }
        Ok(())
    }

    /// What all of them have recorded, those that are gone too.
    pub(crate) fn account(&self) -> Account {
        let mut sum = self.past.clone();
        self.seats.iter().for_each(|seat| sum.add(&seat.account));
        sum
    }

    /// Tokens that all KV caches hold.
    pub(crate) fn kv_tokens(&self) -> u64 {
        self.seats.iter().map(|seat| seat.account.most.kv_tokens).sum()
    }

    /// Ends those that have stopped; says how one ended that did not do so well.
    pub(crate) fn end(mut self) -> Result<()> {
        for (worker, seat) in self.seats.iter_mut().enumerate() {
            let Some(mut running) = seat.running.take() else { continue };
            running.input = None;
            let status = running.child.wait()?;
            if !status.success() {
                bail!("worker-{worker} {}", describe(status));
            }
        }
        Ok(())
    }
}

impl Drop for Children {
    /// Those that were not ended in order: the run has failed.
    fn drop(&mut self) {
        for running in self.seats.iter_mut().filter_map(|seat| seat.running.as_mut()) {
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }
}

/// Passes on what a worker tells; `None` when it is gone.
fn listen(worker: usize, output: ChildStdout, give: &Sender<(usize, Option<Result<Report>>)>) {
    let mut output = BufReader::new(output);
    let mut line = String::new();
    loop {
        line.clear();
        let read = output.read_line(&mut line);
        // What has no end was being told when its teller died.
        let whole = read.is_ok().then(|| line.strip_suffix('\n')).flatten();
        let Some(whole) = whole else { break };
        if give.send((worker, Some(whole.parse()))).is_err() {
            return;
        }
    }
    let _ = give.send((worker, None));
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (_, Some(signal)) => format!("was ended by signal {signal}"),
        (Some(code), None) => format!("ended with {code}"),
        (None, None) => "ended".to_owned(),
    }
}
