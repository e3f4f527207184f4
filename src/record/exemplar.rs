//! Slots for exemplars: a value with the span it was recorded in.
//!
//! A metric that was declared with exemplars has slots besides its cells, in every copy of them: a counter one, a
//! histogram one for each of its buckets (see [`crate::bucket::Slots`]), so that a flood of usual values leaves the
//! rare ones alone. Which of the recordings that meet in one slot stays is said by [`wins`].
//!
//! **Who writes.** In a thread's region, its thread. In the shared region any thread, one at a time: it takes the slot
//! by a compare-exchange, and a thread that finds it taken leaves its exemplar out. So nobody waits, and a recording
//! never depends on it. **Who reads.** A collector, which tries again when the slot changed meanwhile, and after some
//! attempts leaves it out.
//!
//! **The edges.** EXEMPLAR-SLOT: the slot's first word is even while the slot is whole, and a number that a reader finds
//! even and the same before and after it has read the others says that these belong together. EXEMPLAR-TAKE: whoever
//! takes a shared slot sees what the last one wrote. An exemplar is written before its recording, so that whoever sees
//! the count of a histogram with a recording (edge HIST-COUNT) sees its exemplar too; the slot of a reader that has seen
//! the same count before need not be read again.

use super::cell::Cell;
#[cfg(not(tach_loom))]
use super::trace::SpanContext;

/// Cells of a slot.
pub(crate) const WORDS: usize = 6;
/// How long, in nanoseconds, what a slot holds is safe from smaller values. A second, as nobody collects more often: so
/// what a collection shows is the largest of a slot's last second, and hardly older than it.
pub(crate) const YOUTH: u64 = 1_000_000_000;
/// How often a slot that changes is read.
const ATTEMPTS: u32 = if cfg!(tach_loom) { 2 } else { 8 };

const NUMBER: usize = 0;
const VALUE: usize = 1;
const NANOS: usize = 2;
const TRACE: usize = 3;
const SPAN: usize = 5;

/// What a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    /// A histogram's in ticks, a counter's amount, a float counter's as bits: not negative, so that the order is theirs.
    pub(crate) value: u64,
    /// When, in Unix nanoseconds.
    pub(crate) nanos: u64,
    pub(crate) trace: [u64; 2],
    pub(crate) span: u64,
}

#[cfg(not(tach_loom))]
impl Noted {
    /// A value that was recorded at `nanos`, above zero, in `span`.
    pub(crate) fn new(value: u64, nanos: u64, span: &SpanContext) -> Self {
        let (trace, span) = span.words();
        Self { value, nanos, trace, span }
    }
}

/// Whether an exemplar takes the place of one with `value` from `nanos`: it is larger, or that one is not young any more
/// (or from the future, as after a clock was set back).
fn wins(new: &Noted, value: u64, nanos: u64) -> bool {
    new.value > value || new.nanos.abs_diff(nanos) >= YOUTH
}

/// The exemplar to show of several in one place, by the rule that a slot has too: the largest of those that are not a
/// [`YOUTH`] older than the newest. From one collection to the next it gets no older.
pub(crate) fn pick<'a>(noted: impl Iterator<Item = &'a Noted> + Clone) -> Option<Noted> {
    let newest = noted.clone().map(|noted| noted.nanos).max()?;
    let young = noted.filter(|noted| newest - noted.nanos < YOUTH);
    young.max_by_key(|noted| (noted.value, noted.nanos)).copied()
}

/// A slot in one copy of a metric's cells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot<'a>(&'a [Cell]);

impl<'a> Slot<'a> {
    /// Of [`WORDS`] cells.
    pub(crate) fn new(cells: &'a [Cell]) -> Self {
        assert!(cells.len() == WORDS);
        Self(cells)
    }

    fn yields(self, new: &Noted) -> bool {
        wins(new, self.0[VALUE].get(), self.0[NANOS].get())
    }

    fn put(self, new: &Noted) {
        self.0[VALUE].put(new.value);
        self.0[NANOS].put(new.nanos);
        self.0[TRACE].put(new.trace[0]);
        self.0[TRACE + 1].put(new.trace[1]);
        self.0[SPAN].put(new.span);
    }

    /// Leaves an exemplar here, if it wins; by the slot's only writer.
    pub(crate) fn offer(self, new: &Noted) {
        if self.yields(new) {
            // Odd already where a process was copied in the midst of this.
            let odd = self.0[NUMBER].get() | 1;
            self.0[NUMBER].open_slot(odd);
            self.put(new);
            self.0[NUMBER].close_slot(odd.wrapping_add(1));
        }
    }

    /// As [`Slot::offer`], from any thread.
    pub(crate) fn share(self, new: &Noted) {
        let even = self.0[NUMBER].get();
        if even & 1 == 1 || !self.yields(new) || !self.0[NUMBER].take_slot(even) {
            return;
        }
        // Somebody may have been faster: what is here now is what counts.
        if self.yields(new) {
            self.put(new);
        }
        self.0[NUMBER].close_slot(even.wrapping_add(2));
    }

    /// What is here. `None` where nothing is, and where it never was whole.
    pub(crate) fn read(self) -> Option<Noted> {
        let mut attempts = 0..ATTEMPTS;
        let noted = attempts.find_map(|_| {
            let number = self.0[NUMBER].get_slot();
            let [value, nanos, first, second, span] =
                [VALUE, NANOS, TRACE, TRACE + 1, SPAN].map(|cell| self.0[cell].get());
            let is_whole = number & 1 == 0 && self.0[NUMBER].is_slot_still(number);
            is_whole.then_some(Noted { value, nanos, trace: [first, second], span })
        });
        noted.filter(|noted| noted.trace != [0, 0] && noted.span != 0)
    }
}

/// What the slots in `cells` hold, one after the other.
pub(crate) fn read_all(cells: &[Cell]) -> impl Iterator<Item = Noted> + '_ {
    cells.chunks_exact(WORDS).filter_map(|cells| Slot(cells).read())
}

#[cfg(all(test, not(tach_loom)))]
mod tests {
    use super::*;

    fn noted(value: u64, nanos: u64) -> Noted {
        Noted { value, nanos, trace: [1, value], span: nanos }
    }

    #[test]
    fn the_largest_of_a_second_stays() {
        for share in [false, true] {
            let cells: [Cell; WORDS] = std::array::from_fn(|_| Cell::new());
            let slot = Slot::new(&cells);
            assert_eq!(slot.read(), None);
            let offer = |value, nanos| {
                let new = noted(value, nanos);
                if share {
                    slot.share(&new)
                } else {
                    slot.offer(&new)
                }
                slot.read().unwrap()
            };
            let start = 5 * YOUTH;
            assert_eq!(offer(0, start), noted(0, start));
            assert_eq!(offer(7, start + 1), noted(7, start + 1));
            assert_eq!(offer(7, start + 2), noted(7, start + 1));
            assert_eq!(offer(3, start + YOUTH), noted(7, start + 1));
            assert_eq!(offer(3, start + YOUTH + 1), noted(3, start + YOUTH + 1));
            // The clock is set back.
            assert_eq!(offer(2, start), noted(2, start));
        }
    }

    #[test]
    fn a_slot_that_somebody_has_taken_is_left_alone_and_one_that_was_cut_off_goes_on() {
        let cells: [Cell; WORDS] = std::array::from_fn(|_| Cell::new());
        let slot = Slot::new(&cells);
        slot.offer(&noted(1, YOUTH));
        cells[NUMBER].put(3);
        slot.share(&noted(2, YOUTH));
        assert_eq!((slot.read(), cells[VALUE].get()), (None, 1));
        slot.offer(&noted(2, YOUTH));
        assert_eq!((slot.read(), cells[NUMBER].get()), (Some(noted(2, YOUTH)), 4));
    }

    #[test]
    fn what_is_picked_is_the_largest_of_the_last_second() {
        let all = [noted(9, YOUTH), noted(5, 2 * YOUTH), noted(6, 2 * YOUTH - 1), noted(1, 2 * YOUTH + 5)];
        assert_eq!(pick(all.iter()), Some(noted(6, 2 * YOUTH - 1)));
        assert_eq!(pick(all[..1].iter()), Some(noted(9, YOUTH)));
        assert_eq!(pick([].iter()), None);
    }
}
