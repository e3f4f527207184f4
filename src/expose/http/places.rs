//! The places for connections, and who leaves when all are taken.

use super::networks::Party;
use super::own::{Own, Refused};
use super::watch::Watch;
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::timeout_at;

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
    party: Party,
    watch: Rc<Watch>,
    task: AbortHandle,
}

/// How many connections each party has.
fn count<'a>(open: impl Iterator<Item = &'a Open>) -> HashMap<Party, usize> {
    let mut counts = HashMap::new();
    open.for_each(|open| *counts.entry(open.party).or_insert(0) += 1);
    counts
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

    /// Finds a place for one more connection of this party: a free one, or that of one that waits for its client, or
    /// whose client reads too slowly. `false`: all are being answered, or kept by parties that have fewer, and stay so for
    /// as long as a client can be kept waiting.
    pub(super) async fn claim(&self, party: Party) -> bool {
        let give_up = Instant::now() + PATIENCE;
        loop {
            if self.open.borrow().len() < self.max {
                return true;
            }
            let now = Instant::now();
            let until = match self.leaver(party, now) {
                Some((index, when)) if when <= now => {
                    self.displace(index);
                    return true;
                }
                Some((_, when)) => when.min(give_up),
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

    /// Ends the connection, if there is one, whose client reads too slowly while a scrape of this party waits: of the
    /// party that has most, the one that has taken nothing for longest.
    pub(super) fn hurry(&self, party: Party) {
        let open = self.open.borrow();
        // What else it asks for holds no page.
        let asks = |open: &&Open| open.watch.waits().is_some_and(|waits| waits.reads);
        let counts = count(open.iter().filter(asks));
        let own = counts.get(&party).copied().unwrap_or(0);
        let now = Instant::now();
        let slow = open.iter().enumerate().filter_map(|(index, open)| {
            let waits = open.watch.waits().filter(|waits| waits.reads && waits.leaves <= now)?;
            let count = counts[&open.party];
            (count >= own).then_some((Reverse(count), waits.since, index))
        });
        let slowest = slow.min();
        drop(open);
        if let Some((_, _, index)) = slowest {
            self.displace(index);
        }
    }

    fn displace(&self, index: usize) {
        self.open.borrow_mut().swap_remove(index).task.abort();
        self.own.refused(Refused::Displaced);
    }

    /// The connection that leaves for one of `newcomer`, and when: of those that wait for their clients, first one that
    /// has not shown who it is where others had to; then of the party that has most; then, before one whose client reads,
    /// one that was never heard, unless these are few; then the one that has waited for longest. One whose request has only
    /// just been waited for stays before one that is between two: what its client has sent would be lost.
    fn leaver(&self, newcomer: Party, now: Instant) -> Option<(usize, Instant)> {
        let open = self.open.borrow();
        let counts = count(open.iter());
        let own = counts.get(&newcomer).copied().unwrap_or(0);
        // Waiting for the first request of a few only would keep all others out that come meanwhile.
        let silent = open.iter().filter(|open| open.watch.waits().is_some_and(|waits| !waits.heard)).count();
        let rare = silent * 2 <= open.len();
        let waiting = open.iter().enumerate().filter_map(|(index, open)| {
            let waits = open.watch.waits()?;
            let count = counts[&open.party];
            // Who has many takes no kept connection from who has few.
            if waits.heard && count < own {
                return None;
            }
            let at_once = waits.heard || count > own + 1;
            let when = if at_once && !waits.reads { waits.since } else { waits.leaves };
            // Who reads well is the last, and leaves only once that is too slow.
            let reads = waits.reads && when > now;
            let begins = now < waits.leaves && (waits.heard || rare);
            let order = (reads, waits.proven, Reverse(count), waits.reads, begins, waits.heard, waits.since);
            Some((order, index, when))
        });
        waiting.min().map(|(_, index, when)| (index, when))
    }

    /// Takes the place that was found for a connection; `task` ends it.
    pub(super) fn take(&self, party: Party, watch: Rc<Watch>, task: AbortHandle) {
        let mut open = self.open.borrow_mut();
        open.push(Open { party, watch, task });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expose::http::builder::Limits;

    /// What a connection does.
    #[derive(Clone, Copy)]
    enum Does {
        Nothing,
        Idle,
        /// Sends a further request.
        Begin,
        Wait,
    }
    use Does::{Begin, Idle, Nothing, Wait};

    fn party(last: u8) -> Party {
        Some([10, 0, 0, last].into())
    }

    /// Of connections that were opened one after another, each of the party with this number, who leaves for one of
    /// `newcomer`: when all are new, and after a while.
    fn leavers(newcomer: u8, connections: &[(u8, Does)]) -> [usize; 2] {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let places = Places::new(connections.len(), Rc::default());
        for &(last, does) in connections {
            let watch = Rc::new(Watch::new(&Rc::new(Limits::default()), &places.freed));
            if !matches!(does, Nothing) {
                watch.requested();
                watch.let_in(false);
            }
            if matches!(does, Idle | Begin) {
                watch.answered();
                watch.flushed();
            }
            if matches!(does, Begin) {
                watch.received();
            }
            places.take(party(last), watch, runtime.spawn(std::future::pending::<()>()).abort_handle());
        }
        let now = Instant::now();
        [now, now + Duration::from_secs(60)].map(|now| places.leaver(party(newcomer), now).unwrap().0)
    }

    #[test]
    fn a_connection_that_has_just_come_stays_before_an_idle_one_of_its_party() {
        for newcomer in [9, 3, 4] {
            assert_eq!(leavers(newcomer, &[(9, Idle), (9, Nothing)]), [0, 1]);
            assert_eq!(leavers(newcomer, &[(3, Idle), (9, Idle), (9, Nothing), (9, Wait)]), [1, 2]);
        }
        // Among parties that have as many, too; and who has more is still the one who gives.
        assert_eq!(leavers(4, &[(9, Nothing), (3, Idle)]), [1, 0]);
        assert_eq!(leavers(4, &[(3, Idle), (9, Nothing), (9, Wait), (3, Wait), (9, Wait)]), [1, 1]);
        // Unless most have said nothing.
        assert_eq!(leavers(4, &[(9, Idle), (9, Nothing), (9, Nothing)]), [1, 1]);
    }

    #[test]
    fn a_connection_in_the_midst_of_a_request_stays_before_an_idle_one() {
        for newcomer in [9, 4] {
            assert_eq!(leavers(newcomer, &[(9, Begin), (9, Idle), (9, Wait)]), [1, 0]);
            assert_eq!(leavers(newcomer, &[(9, Begin), (9, Begin), (9, Wait)]), [0, 0]);
        }
    }
}
