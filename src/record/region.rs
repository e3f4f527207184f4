//! A region: the memory of one shard, a flat run of cells that costs nothing until touched.
//!
//! An anonymous mapping that is zero until written, with huge pages advised against: `alloc_zeroed` writes every page
//! when the alignment exceeds the allocator's, and a transparent huge page makes 2 MiB resident at the first touch.
//! Only address space is reserved, no swap. Under loom, and where there is no `mmap`, the cells come from the
//! allocator.

use super::cell::Cell;
use crate::segment::Segment;
use std::ops::Range;

/// Where a region begins, or null.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base(*const Cell);

impl Base {
    pub(crate) const NULL: Self = Self(std::ptr::null());

    /// The cell at `offset`, in cells.
    ///
    /// # Safety
    ///
    /// `self` is the base of a region that outlives `'a`, and `offset` lies within its length.
    #[allow(unsafe_code)]
    #[inline(always)]
    pub(crate) unsafe fn cell<'a>(self, offset: usize) -> &'a Cell {
        // SAFETY: the caller's contract is this one's, with an index of zero.
        unsafe { self.cell_at(offset, 0) }
    }

    /// The cell `index` behind the one at `offset`: the same as `cell(offset + index)`, but the compiler may fold a
    /// constant `index` into the address, as no sum of the two can wrap.
    ///
    /// # Safety
    ///
    /// As for [`Base::cell`], for `offset + index`.
    #[allow(unsafe_code)]
    #[inline(always)]
    pub(crate) unsafe fn cell_at<'a>(self, offset: usize, index: usize) -> &'a Cell {
        // SAFETY: by the contract the offset lies within the region.
        let cell = unsafe { self.0.add(offset + index) };
        // SAFETY: what lies there is a `Cell`, in memory that stays.
        unsafe { &*cell }
    }

    /// The cells at `offset + range`. Others may write them meanwhile.
    ///
    /// # Safety
    ///
    /// As for [`Base::cell`], for each of them.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn cells<'a>(self, offset: usize, range: Range<usize>) -> &'a [Cell] {
        // SAFETY: by the contract the offset lies within the region.
        let first = unsafe { self.0.add(offset + range.start) };
        // SAFETY: what lies there are `Cell`s, in memory that stays; the pointer is that of the whole region.
        unsafe { std::slice::from_raw_parts(first, range.len()) }
    }
}

/// The system refused a mapping and may have taken the one before away: nobody may use these cells any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lost;

/// The memory of one shard.
#[derive(Debug)]
pub(crate) struct Region {
    memory: memory::Memory,
    len: u32,
}

impl Region {
    /// A region of `len` cells. `None` when the system refuses the address space.
    pub(crate) fn new(len: u32) -> Option<Self> {
        Some(Self { memory: memory::Memory::new(len as usize)?, len })
    }

    /// How many bytes of addresses the process may have: `u64::MAX` where nothing limits them.
    pub(crate) fn address_space_max() -> u64 {
        memory::address_space_max()
    }

    /// How many cells it has.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    pub(crate) fn base(&self) -> Base {
        Base(self.memory.as_ptr())
    }

    /// Maps a segment's file, from byte `at` on, over cells that are zero and that nobody uses. False where the system
    /// refuses: the cells are as they were.
    pub(crate) fn cover(&self, cells: Range<u32>, segment: &Segment, at: u64) -> Result<bool, Lost> {
        assert!(cells.start <= cells.end && cells.end <= self.len);
        self.memory.cover(cells.start as usize..cells.end as usize, segment, at)
    }

    /// Maps zeros over cells that nobody uses, instead of a segment's file.
    pub(crate) fn uncover(&self, cells: Range<u32>) -> Result<(), Lost> {
        let end = cells.end.min(self.len);
        if cells.start < end { self.memory.uncover(cells.start as usize..end as usize) } else { Ok(()) }
    }

    /// Makes cells zero that nobody records to any more, and gives their pages back where they fill them.
    pub(crate) fn discard(&self, cells: Range<u32>) {
        let end = cells.end.min(self.len);
        if cells.start < end {
            self.memory.discard(cells.start as usize..end as usize);
        }
    }
}

#[cfg(all(unix, not(tach_loom)))]
#[allow(unsafe_code)]
mod memory {
    use super::Cell;
    use std::ops::Range;
    use std::ptr::{NonNull, null_mut};

    /// The limit that `ulimit -v` shows.
    pub(super) fn address_space_max() -> u64 {
        let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: the structure is the caller's own, and the call fills it.
        let done = unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) } == 0;
        if done && limit.rlim_cur != libc::RLIM_INFINITY { limit.rlim_cur } else { u64::MAX }
    }

    /// An anonymous mapping.
    #[derive(Debug)]
    pub(super) struct Memory {
        first: NonNull<Cell>,
        bytes: usize,
    }

    // SAFETY: the mapping is this value's own, and its cells are atomics.
    unsafe impl Send for Memory {}
    // SAFETY: as for Send.
    unsafe impl Sync for Memory {}

    impl Memory {
        pub(super) fn new(len: usize) -> Option<Self> {
            let bytes = len * size_of::<Cell>();
            let access = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE;
            // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
            let address = unsafe { libc::mmap(null_mut(), bytes, access, flags, -1, 0) };
            if address == libc::MAP_FAILED {
                return None;
            }
            // Advice only: a kernel without huge pages answers with an error that changes nothing here.
            #[cfg(target_os = "linux")]
            // SAFETY: the range is the mapping just made.
            unsafe {
                libc::madvise(address, bytes, libc::MADV_NOHUGEPAGE);
            }
            Some(Self { first: NonNull::new(address.cast())?, bytes })
        }

        pub(super) fn as_ptr(&self) -> *const Cell {
            self.first.as_ptr()
        }

        pub(super) fn discard(&self, cells: Range<usize>) {
            assert!(cells.start <= cells.end && cells.end * size_of::<Cell>() <= self.bytes);
            // SAFETY: the range lies in the mapping.
            let address = unsafe { self.first.as_ptr().add(cells.start) };
            let bytes = cells.len() * size_of::<Cell>();
            // On Linux the pages of a private anonymous mapping read as zeros afterwards. Elsewhere that is not
            // promised, so the cells are cleared one by one; also where pages are larger than an extent, as the kernel
            // takes whole ones: with pages of 64 KiB it would take the cells of others.
            #[cfg(target_os = "linux")]
            // SAFETY: reads a constant of the system.
            let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(usize::MAX);
            #[cfg(target_os = "linux")]
            let done = [cells.start * size_of::<Cell>(), bytes].iter().all(|end| end.is_multiple_of(page))
                // SAFETY: the range lies in the mapping, and nobody but the caller uses its cells.
                && unsafe { libc::madvise(address.cast(), bytes, libc::MADV_DONTNEED) } == 0;
            #[cfg(not(target_os = "linux"))]
            let done = false;
            if !done {
                // SAFETY: the range lies in the mapping, which lives as long as `self`, and holds cells.
                let cells = unsafe { std::slice::from_raw_parts(address, cells.len()) };
                cells.iter().for_each(Cell::clear);
            }
        }
    }

    impl Drop for Memory {
        fn drop(&mut self) {
            // SAFETY: the mapping was made by `new`, and whoever drops it has given up every pointer into it.
            unsafe {
                libc::munmap(self.first.as_ptr().cast(), self.bytes);
            }
        }
    }
}

#[cfg(all(target_os = "linux", not(tach_loom)))]
#[allow(unsafe_code)]
mod cover {
    use super::memory::Memory;
    use super::{Cell, Lost};
    use crate::segment::{Segment, system};
    use std::ops::Range;

    impl Memory {
        pub(super) fn cover(&self, cells: Range<usize>, segment: &Segment, at: u64) -> Result<bool, Lost> {
            let (address, bytes) = self.run(&cells);
            let Ok(offset) = libc::off_t::try_from(at) else { return Ok(false) };
            let (access, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_FIXED);
            // SAFETY: the range is whole pages of this mapping, whose cells nobody uses, and the file has memory for
            // them: it was reserved.
            let mapped = unsafe { libc::mmap(address, bytes, access, flags, segment.descriptor(), offset) };
            if mapped != address {
                // It may have been taken away; where the process has too many mappings it has not.
                let mut pages = vec![0_u8; bytes.div_ceil(4096)];
                // SAFETY: the call only tells of the range, and `pages` has a byte for each page, of 4096 bytes or more.
                let is_whole = unsafe { libc::mincore(address, bytes, pages.as_mut_ptr()) } == 0;
                return if is_whole { Ok(false) } else { self.uncover(cells).map(|()| false) };
            }
            // SAFETY: whole pages of cells, which stay mapped, as a region that has some is never given back, until
            // `uncover` takes them from the list.
            unsafe { system::note(address as usize, bytes) };
            Ok(true)
        }

        pub(super) fn uncover(&self, cells: Range<usize>) -> Result<(), Lost> {
            let (address, bytes) = self.run(&cells);
            system::forget(address as usize, bytes);
            // SAFETY: the range is whole pages of this mapping, whose cells nobody uses.
            if unsafe { system::map_anonymous_over(address, bytes) } { Ok(()) } else { Err(Lost) }
        }

        fn run(&self, cells: &Range<usize>) -> (*mut libc::c_void, usize) {
            // Within the mapping, as `Region` has checked.
            (self.as_ptr().wrapping_add(cells.start).cast_mut().cast(), cells.len() * size_of::<Cell>())
        }
    }
}

#[cfg(not(all(target_os = "linux", not(tach_loom))))]
mod cover {
    use super::Lost;
    use super::memory::Memory;
    use crate::segment::Segment;
    use std::ops::Range;

    impl Memory {
        pub(super) fn cover(&self, _: Range<usize>, segment: &Segment, _: u64) -> Result<bool, Lost> {
            match *segment {}
        }

        /// Never called, as nothing was covered.
        pub(super) fn uncover(&self, cells: Range<usize>) -> Result<(), Lost> {
            self.discard(cells);
            Ok(())
        }
    }
}

#[cfg(any(not(unix), tach_loom))]
mod memory {
    use super::Cell;
    use std::ops::Range;

    /// Nothing is known of a limit.
    pub(super) fn address_space_max() -> u64 {
        u64::MAX
    }

    /// Cells from the allocator.
    #[derive(Debug)]
    pub(super) struct Memory(Box<[Cell]>);

    impl Memory {
        pub(super) fn new(len: usize) -> Option<Self> {
            Some(Self((0..len).map(|_| Cell::new()).collect()))
        }

        pub(super) fn as_ptr(&self) -> *const Cell {
            self.0.as_ptr()
        }

        pub(super) fn discard(&self, cells: Range<usize>) {
            self.0[cells].iter().for_each(Cell::clear);
        }
    }
}
