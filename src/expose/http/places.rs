//! The places for connections, and who leaves when all are taken.

use super::own::{Own, Refused};
use super::watch::Watch;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::timeout_at;

/// A client that has been waited for this long leaves when somebody else needs its place.
const GRACE: Duration = Duration::from_millis(500);

/// How long a new connection waits for a place when all others are being answered.
const PATIENCE: Duration = Duration::from_secs(1);

/// The connections there are, at most so many.
#[derive(Debug)]
pub(super) struct Places {
    max: usize,
    open: RefCell<Vec<Open>>,
    own: Rc<Own>,
    /// Told when a connection ends, or is no longer busy.
    pub(super) freed: Rc<Notify>,
}

#[derive(Debug)]
struct Open {
    watch: Rc<Watch>,
    task: AbortHandle,
}

/// Gives a connection's place back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Rc<Places>,
    watch: Rc<Watch>,
}

impl Places {
    pub(super) fn new(max: usize, own: Rc<Own>) -> Self {
        Self { max, open: RefCell::default(), own, freed: Rc::new(Notify::new()) }
    }

    /// Finds a place for one more connection: a free one, or that of the client which has kept an idle connection, or
    /// an unfinished request, for longest; those that were never let in leave before all others. `false`: all are being
    /// answered, and stay so for as long as a client can be kept waiting.
    pub(super) async fn claim(&self) -> bool {
        let give_up = Instant::now() + PATIENCE;
        loop {
            if self.open.borrow().len() < self.max {
                return true;
            }
            let now = Instant::now();
            let until = match self.idlest(give_up <= now) {
                Some((index, since)) if since + GRACE <= now => {
                    self.open.borrow_mut().swap_remove(index).task.abort();
                    self.own.refused(Refused::Displaced);
                    return true;
                }
                Some((_, since)) => give_up.min(since + GRACE),
                None => give_up,
            };
            if give_up <= now {
                self.own.refused(Refused::Busy);
                return false;
            }
            // Looked at again in either case.
            let _ = timeout_at(until.into(), self.freed.notified()).await;
        }
    }

    /// The connection that has waited for its client for longest, of those that were never let in, if there are any
    /// and not `any` will do.
    fn idlest(&self, any: bool) -> Option<(usize, Instant)> {
        let open = self.open.borrow();
        let waiting = open.iter().enumerate().filter_map(|(index, open)| {
            let since = open.watch.waiting_since()?;
            Some((open.watch.is_known() && !any, since, index))
        });
        waiting.min().map(|(_, since, index)| (index, since))
    }

    /// Takes the place that was found for a connection; `task` ends it.
    pub(super) fn take(&self, watch: Rc<Watch>, task: AbortHandle) {
        let mut open = self.open.borrow_mut();
        open.push(Open { watch, task });
        self.own.connections(open.len());
    }

    /// What gives the place of this connection back.
    pub(super) fn place(self: &Rc<Self>, watch: &Rc<Watch>) -> Place {
        Place { places: Rc::clone(self), watch: Rc::clone(watch) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // One that had to leave is no longer there.
        let mut open = self.places.open.borrow_mut();
        open.retain(|open| !Rc::ptr_eq(&open.watch, &self.watch));
        self.places.own.connections(open.len());
        drop(open);
        self.places.freed.notify_one();
    }
}
