//! How requests come in: arrival, tokenizing, and the queue before the model.
//!
//! Clients are closed-loop: each has one request under way and sends the next one as soon as the answer is complete.
//! With more clients than slots a queue forms, first come, first served.

use std::collections::VecDeque;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use tach::serve::{Clock, Finish, Metrics, RequestTimer, Stamp, Turn};

use crate::ledger::Ledger;
use crate::prompts::PROMPTS;
use crate::request::{Request, Times};
use crate::stream::Text;

/// The prompt of a request; they go round.
pub(crate) fn prompt(id: u64) -> &'static str {
    PROMPTS[(id % PROMPTS.len() as u64) as usize]
}

/// Refuses a limit with which a request might not fit into a stream.
pub(crate) fn fits(text: &dyn Text, context: usize, max_tokens: usize) -> Result<()> {
    let lengths = PROMPTS.iter().map(|prompt| text.encode_chat(prompt).map(|tokens| tokens.len()));
    let longest = lengths.collect::<Result<Vec<usize>>>()?.into_iter().max().unwrap_or(0);
    ensure!(
        longest + max_tokens <= context,
        "the longest prompt has {longest} tokens, so that with --max-tokens {max_tokens} a request may not fit the \
         model's {context}",
    );
    Ok(())
}

/// See the module.
pub(crate) struct Intake {
    pub(crate) text: Arc<dyn Text>,
    pub(crate) metrics: &'static Metrics,
    /// Tokens of one request.
    pub(crate) max_tokens: usize,
    /// Whether the queue is the model's own, so that who is in it is admitted.
    pub(crate) admits: bool,
    pub(crate) clock: Clock,
    pub(crate) queue: VecDeque<Request>,
    pub(crate) next_id: u64,
}

impl Intake {
    pub(crate) fn new(text: Arc<dyn Text>, metrics: &'static Metrics, max_tokens: usize, admits: bool) -> Self {
        Self { text, metrics, max_tokens, admits, clock: Clock::new(), queue: VecDeque::new(), next_id: 0 }
    }

    /// A client sends its next request, at `now`.
    pub(crate) fn arrive(&mut self, ledger: &mut Ledger, now: Stamp) -> Result<()> {
        let mut timer = RequestTimer::arrived_at(self.metrics, now);
        self.metrics.request_params_max_tokens(self.max_tokens as u64);
        self.metrics.request_params_n(1);
        let id = self.next_id;
        self.next_id += 1;
        let mut times = Times { arrived: now.nanos(), ..Times::default() };
        let prompt = match self.text.encode_chat(prompt(id)).with_context(|| format!("request {id} failed")) {
            Ok(prompt) => prompt,
            Err(error) => {
                timer.finished_at(Finish::Error, now);
                ledger.ended[Finish::Error as usize].add(0);
                return Err(error);
            }
        };
        let tokenized = self.clock.now();
        timer.input_at(prompt.len() as u64, Turn::First, tokenized);
        if self.admits {
            timer.admitted();
        }
        times.tokenized = tokenized.nanos();
        ledger.tokenized(prompt.len(), times.tokenized - times.arrived);
        ledger.waiting += 1;
        self.queue.push_back(Request { id, prompt, generated: Vec::new(), timer, times });
        Ok(())
    }

    /// The request that has waited longest, for a free slot.
    pub(crate) fn admit(&mut self, ledger: &mut Ledger) -> Option<Request> {
        let mut request = self.queue.pop_front()?;
        let now = self.clock.now();
        request.timer.scheduled_at(now);
        request.times.scheduled = now.nanos();
        ledger.queue.add(request.times.scheduled - request.times.arrived);
        ledger.waiting -= 1;
        ledger.running += 1;
        Some(request)
    }
}
