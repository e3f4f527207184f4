//! A segment's file as words in memory, read-only: every atomic access, system call and `unsafe` of the reader.
//!
//! **Who writes.** Another process, with stores of whole words; or anybody, anything, at any time. So a word is loaded
//! once and checked, and nothing here hands out a plain reference to what others write. Only relaxed loads and fences:
//! of memory that is mapped read-only nothing else is promised.
//!
//! **Cut short.** Whoever may write the file may truncate it, and a load from a page beyond its end raises `SIGBUS`.
//! From the first mapping on there is a handler for it. It finds the mapping among [`RANGES`], puts zeros in the place
//! of its rest and says so there; the load goes on and finds zero, and the read ends in an error. A signal that is not
//! about one of these mappings goes to the handler that was there before.

#![allow(unsafe_code)]

use crate::record::cell::Cell;
use crate::sync::{AtomicBool, AtomicUsize, Ordering, fence};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr::{NonNull, null, null_mut};
use std::sync::OnceLock;

/// How many segments a process can have open for reading at once.
const RANGES_MAX: usize = 4096;

/// Where the mappings are. A fixed array of atomics, as a signal handler takes no locks.
static RANGES: [Range; RANGES_MAX] = [const { Range::new() }; RANGES_MAX];

/// One mapping, as the handler has to know it.
struct Range {
    taken: AtomicBool,
    /// Zero while there is none.
    start: AtomicUsize,
    end: AtomicUsize,
    /// The handler has put zeros in the place of a part of it.
    is_cut: AtomicBool,
}

impl Range {
    const fn new() -> Self {
        Self {
            taken: AtomicBool::new(false),
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            is_cut: AtomicBool::new(false),
        }
    }

    /// One that nobody has, for a mapping of `bytes` at `start`.
    fn take(start: usize, bytes: usize) -> Option<&'static Self> {
        // Acquire: what the last owner stored comes before what is stored now.
        let range = RANGES.iter().find(|range| !range.taken.swap(true, Ordering::Acquire))?;
        // Relaxed: read by this thread's handler, or one that the mapping is sent to.
        range.is_cut.store(false, Ordering::Relaxed);
        range.end.store(start + bytes, Ordering::Relaxed);
        // Release: who finds this start finds this end.
        range.start.store(start, Ordering::Release);
        Some(range)
    }

    fn give_back(&self) {
        // Relaxed: whoever reads the mapping has given it up, so that no signal is about it.
        self.start.store(0, Ordering::Relaxed);
        // Release: see `take`.
        self.taken.store(false, Ordering::Release);
    }

    /// The end, if `address` lies in this mapping.
    fn end_of(&self, address: usize) -> Option<usize> {
        // Acquire: see `take`. The thread that met the signal owns the mapping or was sent it: for it both are current.
        // For a signal about other memory the range may just become another's: then the start has changed, too.
        let start = self.start.load(Ordering::Acquire);
        // Relaxed: see `take`.
        let end = self.end.load(Ordering::Relaxed);
        // Relaxed: the same word once more, after both.
        fence(Ordering::Acquire);
        let is_same = self.start.load(Ordering::Relaxed) == start;
        (start != 0 && is_same && (start..end).contains(&address)).then_some(end)
    }
}

/// What was to be done about `SIGBUS` before.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();
/// Bytes of a page, known before a handler needs it.
static PAGE: OnceLock<usize> = OnceLock::new();

fn page() -> usize {
    // SAFETY: reads a constant of the system.
    *PAGE.get_or_init(|| usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096))
}

/// Puts the handler there, once; nobody maps anything before it is.
fn guard() -> io::Result<()> {
    static INSTALLED: OnceLock<Result<(), Option<i32>>> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| install().map_err(|error| error.raw_os_error()));
    installed.map_err(|code| io::Error::from_raw_os_error(code.unwrap_or(libc::EINVAL)))
}

fn install() -> io::Result<()> {
    page();
    let mut before = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: asks only, and the structure is the caller's own.
    if unsafe { libc::sigaction(libc::SIGBUS, null(), before.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a structure of numbers, for which zeros are values, and the call has filled it.
    let before = unsafe { before.assume_init() };
    let mut ours = *BEFORE.get_or_init(|| before);
    ours.sa_sigaction = on_bus as *const () as usize;
    // On the stack for signals where a thread has one, and blocking what it blocked before.
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: the handler is a function of the signature that SA_SIGINFO asks for, and does nothing that a handler may
    // not: atomic loads and stores, and system calls.
    if unsafe { libc::sigaction(libc::SIGBUS, &raw const ours, null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// The handler.
extern "C" fn on_bus(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel gives a handler with SA_SIGINFO a structure that it has filled.
    let info_here = unsafe { &*info };
    // SAFETY: SIGBUS has an address.
    let address = unsafe { info_here.si_addr() } as usize;
    for range in &RANGES {
        let Some(end) = range.end_of(address) else { continue };
        // Relaxed: the thread that reads it is this one, after it has returned from here. Before there are zeros, for
        // others that look at the same mapping.
        range.is_cut.store(true, Ordering::Relaxed);
        let from = address & !(page() - 1);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED | libc::MAP_NORESERVE;
        // SAFETY: the rest of a mapping that is this module's own, whose words may be anything at any time.
        let mapped = unsafe { libc::mmap(from as *mut libc::c_void, end - from, libc::PROT_READ, flags, -1, 0) };
        if mapped as usize == from {
            return;
        }
    }
    pass_on(signal, info, context);
}

/// Does what would have been done without this module.
fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let Some(before) = BEFORE.get() else { return };
    match before.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => {
            // The access that raised it is made again, and ends the process as it would have.
            // SAFETY: puts back what the system gave.
            unsafe {
                libc::sigaction(signal, before, null_mut());
            }
        }
        handler if before.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: whoever installed it said that it is of this signature.
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                unsafe { std::mem::transmute(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: as above.
            let handler: extern "C" fn(libc::c_int) = unsafe { std::mem::transmute(handler) };
            handler(signal);
        }
    }
}

/// A whole file, read-only.
pub(super) struct Map {
    first: NonNull<Cell>,
    /// Of the mapping: whole pages.
    bytes: usize,
    /// Of the file.
    words: usize,
    range: &'static Range,
}

// SAFETY: the mapping is this value's own, and its words are atomics.
unsafe impl Send for Map {}
// SAFETY: as for Send.
unsafe impl Sync for Map {}

impl std::fmt::Debug for Map {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Map").field("words", &self.words).finish_non_exhaustive()
    }
}

impl Map {
    /// Maps the first `len` bytes of a file, which must be some.
    pub(super) fn new(file: &File, len: u64) -> io::Result<Self> {
        guard()?;
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let bytes = len.checked_next_multiple_of(page()).ok_or(io::ErrorKind::FileTooLarge)?;
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
        let address = unsafe { libc::mmap(null_mut(), bytes, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let first = NonNull::new(address.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        let Some(range) = Range::take(address as usize, bytes) else {
            // SAFETY: the mapping just made.
            unsafe { libc::munmap(address, bytes) };
            let text = format!("{RANGES_MAX} segments are open: close some of them");
            return Err(io::Error::other(text));
        };
        Ok(Self { first, bytes, words: len / size_of::<Cell>(), range })
    }

    /// How many words there are.
    pub(super) fn len(&self) -> usize {
        self.words
    }

    /// All of them. Others may write them meanwhile.
    fn cells(&self) -> &[Cell] {
        // SAFETY: the mapping has so many words and stays for as long as `self`; they are only loaded as atomics.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.words) }
    }

    /// The words from `first` on, `len` of them; `None` where the file does not have them all.
    pub(super) fn run(&self, first: u64, len: u64) -> Option<&[Cell]> {
        let first = usize::try_from(first).ok()?;
        self.cells().get(first..first.checked_add(usize::try_from(len).ok()?)?)
    }

    /// One word, complete in itself; zero beyond the end of the file.
    pub(super) fn word(&self, index: u64) -> u64 {
        usize::try_from(index).ok().and_then(|index| self.cells().get(index)).map_or(0, Cell::get)
    }

    /// Whether the file was cut while it was mapped, and something read since then was not in it.
    pub(super) fn is_cut(&self) -> bool {
        // Acquire: the loads before this are made before it, so that a signal that one of them raised has come.
        fence(Ordering::Acquire);
        // Relaxed: the handler ran on this thread.
        self.range.is_cut.load(Ordering::Relaxed)
    }
}

/// Whether somebody holds the exclusive lock on the whole file. Takes none.
pub(super) fn is_locked(file: &File) -> io::Result<bool> {
    // SAFETY: a structure of numbers, for which zeros are values: the whole file, from its start.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    // Only an exclusive lock is in the way of this.
    lock.l_type = libc::F_RDLCK as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    // SAFETY: asks only, and the structure is the caller's own.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(i32::from(lock.l_type) == libc::F_WRLCK)
}

impl Drop for Map {
    fn drop(&mut self) {
        // In this order: nobody else's mapping may be taken for this one.
        self.range.give_back();
        // SAFETY: the mapping was made by `new`, and whoever drops it has given up every reference into it.
        unsafe {
            libc::munmap(self.first.as_ptr().cast(), self.bytes);
        }
    }
}
