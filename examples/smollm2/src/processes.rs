//! A run of several processes, seen from the API: how it is set up, and what is made of it when it is over.
//!
//! Everything is recorded to segments in one directory. `tach collect` serves them; here they are read for the table and
//! the check, by the same reader.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Result;
use tach::reader::Directory;

use crate::account::Account;
use crate::api::Api;
use crate::children::Children;
use crate::cli::Options;
use crate::console::Console;
use crate::intake::Intake;
use crate::ledger::Ledger;
use crate::metrics::{Reading, Recording};
use crate::progress::{self, Progress};
use crate::server::Outcome;
use crate::{check, llama, mock, report};

/// Runs to the end; `false` when the metrics and the plain accounts differ.
pub(crate) fn run(options: &Options, interrupted: &AtomicBool) -> Result<bool> {
    let recording = Recording::in_segment(options, "api")?;
    let path = recording.directory()?;
    let directory = Directory::watch(&path)?;
    // What others have counted there is none of this run's.
    let before = Reading(directory.read());
    let text = if options.mock { mock::text() } else { llama::text(options)? };
    let pause = Duration::from_secs(options.restart_after.into());
    let mut children = Children::start(options.workers, pause)?;
    eprintln!("api: process {}, recording to {}", std::process::id(), path.display());
    eprintln!("{}", options.run_label());

    let console = Console::new();
    let tokens = (options.tokens > 0).then_some(options.tokens);
    let mut api = Api {
        intake: Intake::new(text.into(), recording.metrics, options.max_tokens, false),
        clients: options.clients(),
        tokens,
        streams: options.streams,
        show_text: options.show_text,
        console: &console,
        ledger: Ledger::default(),
        under_way: (0..options.workers).map(|_| BTreeMap::new()).collect(),
    };
    let progress = Mutex::new(Progress::default());
    let look = || *progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let run = || api.run(&mut children, interrupted, &progress);
    let (ending, elapsed) = progress::watched(look, tokens, &recording, &console, run)?;

    // While all live: what has ended has no levels.
    children.stop()?;
    let reading = Reading(directory.read());
    let mut account = children.account();
    account.add(&Account::exact(api.ledger.clone()));
    let outcome = Outcome { ending, ledger: api.ledger, elapsed };
    report::print(&outcome, Some(&reading), &options.run_label());
    if let Some(path) = &options.account {
        account.write(path)?;
    }
    let is_right = check::print(&account, &reading, Some(&before), true);
    children.end()?;
    Ok(is_right)
}
