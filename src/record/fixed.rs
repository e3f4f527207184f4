//! One cell of which there is one copy, for all threads: a gauge's, or one that a thread of the engine fills.

use super::cell::Cell;
use super::space::{NoPlace, Place, Shape, Space};
use crate::sync::{Arc, AtomicPtr, Ordering};
use crossbeam_utils::CachePadded;
use std::ptr::{NonNull, null_mut};

/// A cell on its own, or in a place's shared region. Aligned as [`super::scalar::Scalar`] is.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Fixed {
    /// The cell, while whoever has a value stores it and that is all; else null.
    open: AtomicPtr<Cell>,
    cell: NonNull<Cell>,
    kept: Kept,
}

/// What keeps a cell where it is.
#[derive(Debug)]
enum Kept {
    Alone { _cell: Arc<CachePadded<Cell>> },
    Placed { place: Option<Place>, space: Arc<Space> },
}

impl Fixed {
    /// Cells in a place, with lines of their own: no writer of a neighbour slows this one's down.
    const SHAPE: Shape = Shape { front: 16, back: 0 };

    fn new(cell: NonNull<Cell>, kept: Kept) -> Self {
        Self { open: AtomicPtr::new(null_mut()), cell, kept }
    }

    /// A cell on its own.
    pub(crate) fn alone() -> Self {
        let cell = Arc::new(CachePadded::new(Cell::new()));
        Self::new(NonNull::from(&**cell), Kept::Alone { _cell: cell })
    }

    /// A cell that has a place. `optional` as in [`Space::place`].
    pub(crate) fn placed(space: &Arc<Space>, optional: bool) -> Result<Self, NoPlace> {
        let place = space.place(Self::SHAPE, optional)?;
        #[allow(unsafe_code)]
        // SAFETY: every place lies within the shared region, which lives as long as the extent does.
        let cell = NonNull::from(unsafe { place.shared().cell(place.front as usize) });
        Ok(Self::new(cell, Kept::Placed { place: Some(place), space: Arc::clone(space) }))
    }

    pub(crate) fn get(&self) -> &Cell {
        #[allow(unsafe_code)]
        // SAFETY: `kept` keeps it.
        unsafe {
            self.cell.as_ref()
        }
    }

    /// Opens it, or closes it.
    pub(crate) fn switch(&self, open: bool) {
        let cell = if open { self.cell.as_ptr() } else { null_mut() };
        // Relaxed: publishes nothing, as the cell is there for as long as this; a store under way counts as before or
        // after.
        self.open.store(cell, Ordering::Relaxed);
    }

    /// The cell, if it is open: one load tells that, and where it is.
    #[inline(always)]
    pub(crate) fn open(&self) -> Option<&Cell> {
        // Relaxed: see `switch`.
        let cell = NonNull::new(self.open.load(Ordering::Relaxed))?;
        #[allow(unsafe_code)]
        // SAFETY: what is not null is `cell`, which `kept` keeps.
        Some(unsafe { cell.as_ref() })
    }

    /// `None` for a cell on its own.
    pub(crate) fn place(&self) -> Option<&Place> {
        if let Kept::Placed { place, .. } = &self.kept { place.as_ref() } else { None }
    }

    /// Stores a time in the next cell, if it has a place.
    pub(crate) fn stamp(&self, time: u64) {
        if let Some(place) = self.place() {
            #[allow(unsafe_code)]
            // SAFETY: as in `placed`; the place has sixteen cells.
            unsafe { place.shared().cell_at(place.front as usize, 1) }.put(time);
        }
    }
}

impl Drop for Fixed {
    fn drop(&mut self) {
        if let Kept::Placed { place, space } = &mut self.kept
            && let Some(place) = place.take()
        {
            space.give_back(place);
        }
    }
}

#[allow(unsafe_code)]
// SAFETY: the pointers are to an atomic that `kept` keeps, which is `Send`.
unsafe impl Send for Fixed {}
#[allow(unsafe_code)]
// SAFETY: as for Send.
unsafe impl Sync for Fixed {}

// Plain atomics, and a place that is given back under locks that leave nothing half done.
impl std::panic::RefUnwindSafe for Fixed {}
