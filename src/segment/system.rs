//! What a segment needs of the system by calls that need `unsafe`: mappings, reserved space, locks on files, and `fork`.
//!
//! **Fork.** A child shares its parent's mappings of a file, and the parent's locks by its descriptors. So every range
//! that is mapped from a segment is listed here, and the child replaces each by memory of its own, at zero, before
//! `fork` returns there; and gives up the lock's descriptor, so that the lock ends with the parent. The lists are locked
//! while the process forks, so that the child finds them whole; what it does is system calls only.

use super::layout::{header, state};
use super::publish;
use crate::sync::{AtomicU32, AtomicU64, ForkGuard, ForkMutex, Ordering};
use std::cell::Cell;
use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr::{NonNull, null_mut};
use std::sync::OnceLock;

/// What of this process belongs to segments.
#[derive(Debug)]
struct Held {
    /// Address and bytes of every mapping of a segment.
    runs: Vec<(usize, usize)>,
    /// Addresses of the headers.
    headers: Vec<usize>,
    /// The descriptors that hold locks, each with another one of the same file.
    locks: Vec<(RawFd, RawFd)>,
}

/// Held by a thread of the engine's own while it has locks that nobody may have when the process forks.
static CALM: ForkMutex<()> = ForkMutex::new(());
static HELD: ForkMutex<Held> = ForkMutex::new(Held { runs: Vec::new(), headers: Vec::new(), locks: Vec::new() });
/// How often this process, and those it was forked from, came out of a fork as the child.
static FORKS: AtomicU32 = AtomicU32::new(0);
/// What else is to be locked before a fork, and unlocked after it.
static HOOKS: OnceLock<[fn(); 2]> = OnceLock::new();

/// The locks here.
type Locks = (ForkGuard<'static, Held>, ForkGuard<'static, ()>);

thread_local! {
    /// They, while this thread forks. Without a destructor.
    static FORKING: Cell<Option<ManuallyDrop<Locks>>> = const { Cell::new(None) };
}

/// The process does not fork while this is held. To be taken with nothing else locked, and not across what is not the
/// engine's, which may fork.
pub(crate) fn calm() -> ForkGuard<'static, ()> {
    CALM.lock()
}

/// Tells the forks apart: what was made under another number is the parent's.
pub(crate) fn forks() -> u32 {
    // Relaxed: changed only where there is one thread.
    FORKS.load(Ordering::Relaxed)
}

/// Has forks, and the end of the process, mind the segments from now on. `before` and `after` are called around a fork,
/// in the parent and, after it, in the child too. False where the system refuses: a child would write its parent's file.
pub(crate) fn watch(before: fn(), after: fn()) -> bool {
    static WATCHED: OnceLock<bool> = OnceLock::new();
    *WATCHED.get_or_init(|| {
        let _ = HOOKS.set([before, after]);
        #[allow(unsafe_code)]
        // SAFETY: the three are functions of this program, and as the call wants them.
        let watched = unsafe { libc::pthread_atfork(Some(forking), Some(forked_parent), Some(forked_child)) } == 0;
        #[allow(unsafe_code)]
        // SAFETY: likewise. Where it is refused, segments look as if their process had died.
        unsafe {
            libc::atexit(ending);
        }
        watched
    })
}

extern "C" fn forking() {
    let calm = CALM.lock();
    if let Some([before, _]) = HOOKS.get() {
        before();
    }
    FORKING.set(Some(ManuallyDrop::new((HELD.lock(), calm))));
}

extern "C" fn forked_parent() {
    drop(FORKING.take().map(ManuallyDrop::into_inner));
    if let Some([_, after]) = HOOKS.get() {
        after();
    }
}

extern "C" fn forked_child() {
    let mut held = FORKING.take();
    if let Some(held) = &mut held {
        let held = &mut held.0;
        for &(address, bytes) in &held.runs {
            #[allow(unsafe_code)]
            // SAFETY: the list has what is mapped, of cells and words, for which zeros are values, and this is the
            // child's only thread.
            let done = unsafe { map_anonymous_over(address as *mut libc::c_void, bytes) };
            #[allow(unsafe_code)]
            // SAFETY: likewise. Where the system refuses memory the child must not have its parent's: if it records, and
            // does not just call `exec`, it is ended by a signal.
            let done = done || unsafe { libc::munmap(address as *mut libc::c_void, bytes) } == 0;
            if !done {
                #[allow(unsafe_code)]
                // SAFETY: always sound. A child that would write its parent's cells must not go on.
                unsafe {
                    libc::abort();
                }
            }
        }
        for &(lock, other) in &held.locks {
            // The number stays taken, so that whoever drops the file closes no other.
            #[allow(unsafe_code)]
            // SAFETY: both are descriptors that a segment's files own.
            unsafe {
                libc::dup3(other, lock, libc::O_CLOEXEC);
            }
        }
        held.runs.clear();
        held.headers.clear();
        held.locks.clear();
    }
    // Relaxed: there is one thread.
    FORKS.store(forks().wrapping_add(1), Ordering::Relaxed);
    drop(held.map(ManuallyDrop::into_inner));
    if let Some([_, after]) = HOOKS.get() {
        after();
    }
}

/// The process ends in order.
extern "C" fn ending() {
    // Not waited for: `exit` may be called where the lock is held.
    let Some(held) = HELD.try_lock() else { return };
    for &address in &held.headers {
        #[allow(unsafe_code)]
        // SAFETY: a header that is listed is mapped: it is taken from the list, under this lock, before it is unmapped.
        let header = unsafe { &*(address as *const [AtomicU64; super::layout::HEADER_WORDS]) };
        publish::put(&header[header::STATE], state::CLOSED);
    }
}

/// Lists a range that is mapped from a segment's file: a child of `fork` replaces it by zeros.
///
/// # Safety
///
/// The range consists of whole pages and stays mapped until [`forget`] is called for it; any thread that uses it can
/// bear zeros there.
#[allow(unsafe_code)]
pub(crate) unsafe fn note(address: usize, bytes: usize) {
    HELD.lock().runs.push((address, bytes));
}

/// Takes a range from the list.
pub(crate) fn forget(address: usize, bytes: usize) {
    let mut held = HELD.lock();
    if let Some(index) = held.runs.iter().position(|run| *run == (address, bytes)) {
        held.runs.swap_remove(index);
    }
}

/// Maps zeros over a range. False where the system refuses: then the range may be mapped or not.
///
/// # Safety
///
/// The range consists of whole pages, is the caller's own, and whoever uses it can bear zeros there.
#[allow(unsafe_code)]
pub(crate) unsafe fn map_anonymous_over(address: *mut libc::c_void, bytes: usize) -> bool {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE | libc::MAP_FIXED;
    // SAFETY: the caller's contract.
    let mapped = unsafe { libc::mmap(address, bytes, access, flags, -1, 0) };
    mapped == address
}

/// Words of a file, shared with whoever else maps it.
#[derive(Debug)]
pub(super) struct Mapping {
    first: NonNull<AtomicU64>,
    bytes: usize,
}

#[allow(unsafe_code)]
// SAFETY: the mapping is this value's own, and its words are atomics.
unsafe impl Send for Mapping {}
#[allow(unsafe_code)]
// SAFETY: as for Send.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `bytes` of the file from `at` on, both whole pages: what is reserved.
    pub(super) fn new(file: &File, at: u64, bytes: u64) -> io::Result<Self> {
        let (Ok(len), Ok(offset)) = (usize::try_from(bytes), libc::off_t::try_from(at)) else {
            return Err(io::ErrorKind::FileTooLarge.into());
        };
        let access = libc::PROT_READ | libc::PROT_WRITE;
        #[allow(unsafe_code)]
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
        let address = unsafe { libc::mmap(null_mut(), len, access, libc::MAP_SHARED, file.as_raw_fd(), offset) };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let first = NonNull::new(address.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        #[allow(unsafe_code)]
        // SAFETY: the mapping is whole pages of words, and stays until `drop` takes it from the list.
        unsafe {
            note(address as usize, len);
        }
        Ok(Self { first, bytes: len })
    }

    pub(super) fn words(&self) -> &[AtomicU64] {
        #[allow(unsafe_code)]
        // SAFETY: the mapping has so many words, lives as long as `self`, and they are only used as atomics. The file
        // is never cut (it is this user's alone), so that each page is there.
        unsafe {
            std::slice::from_raw_parts(self.first.as_ptr(), self.bytes / size_of::<AtomicU64>())
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        forget(self.first.as_ptr() as usize, self.bytes);
        #[allow(unsafe_code)]
        // SAFETY: the mapping was made by `new`, and whoever drops it has given up every reference into it.
        unsafe {
            libc::munmap(self.first.as_ptr().cast(), self.bytes);
        }
    }
}

/// Lists a segment's header, to be closed at the process's end, and its lock, to be given up by a child.
pub(super) fn enlist(header: &Mapping, lock: &File, other: &File) {
    let mut held = HELD.lock();
    held.headers.push(header.first.as_ptr() as usize);
    held.locks.push((lock.as_raw_fd(), other.as_raw_fd()));
}

/// Takes what [`enlist`] listed from the lists.
pub(super) fn delist(header: &Mapping, lock: &File) {
    let mut held = HELD.lock();
    held.headers.retain(|address| *address != header.first.as_ptr() as usize);
    held.locks.retain(|(listed, _)| *listed != lock.as_raw_fd());
}

/// Makes the file larger, with memory behind every page.
pub(super) fn reserve(file: &File, at: u64, bytes: u64) -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    #[allow(unsafe_code)]
    // SAFETY: the structure is the caller's own, and the call fills it.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) } == 0;
    // Beyond the limit the call sends a signal that ends the process.
    if known && limit.rlim_cur != libc::RLIM_INFINITY && at + bytes > limit.rlim_cur {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let (Ok(at), Ok(bytes)) = (libc::off_t::try_from(at), libc::off_t::try_from(bytes)) else {
        return Err(io::ErrorKind::FileTooLarge.into());
    };
    loop {
        #[allow(unsafe_code)]
        // SAFETY: touches nothing but the file, whose descriptor is open.
        if unsafe { libc::fallocate(file.as_raw_fd(), 0, at, bytes) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Locks the whole file for this descriptor, or unlocks it. Does not wait.
pub(crate) fn lock(file: &File, locked: bool) -> io::Result<()> {
    #[allow(unsafe_code)]
    // SAFETY: a structure of numbers, for which zeros are values: the whole file, from its start.
    let mut range: libc::flock = unsafe { std::mem::zeroed() };
    range.l_type = (if locked { libc::F_WRLCK } else { libc::F_UNLCK }) as libc::c_short;
    #[allow(unsafe_code)]
    // SAFETY: the structure is the caller's own.
    let done = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const range) } == 0;
    if done { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whether the file lies on a file system that is memory: tmpfs or ramfs.
pub(super) fn is_memory(file: &File) -> io::Result<bool> {
    const TMPFS: u64 = 0x0102_1994;
    const RAMFS: u64 = 0x8584_58f6;
    #[allow(unsafe_code)]
    // SAFETY: a structure of numbers, for which zeros are values.
    let mut system: libc::statfs = unsafe { std::mem::zeroed() };
    #[allow(unsafe_code)]
    // SAFETY: the structure is the caller's own, and the call fills it.
    let done = unsafe { libc::fstatfs(file.as_raw_fd(), &raw mut system) } == 0;
    // Its type differs from machine to machine.
    let is_memory = u64::try_from(system.f_type).is_ok_and(|magic| magic == TMPFS || magic == RAMFS);
    if done { Ok(is_memory) } else { Err(io::Error::last_os_error()) }
}

/// The user whose rights this process has.
pub(crate) fn user() -> u32 {
    #[allow(unsafe_code)]
    // SAFETY: always sound.
    unsafe {
        libc::geteuid()
    }
}

/// The system's clock as of its last tick, some milliseconds ago at most, in Unix nanoseconds: a fifth of what the
/// exact one costs.
pub(crate) fn now_coarse() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    #[allow(unsafe_code)]
    // SAFETY: the structure is the caller's own, and the call fills it.
    let done = unsafe { libc::clock_gettime(libc::CLOCK_REALTIME_COARSE, &raw mut now) } == 0;
    let seconds = u64::try_from(now.tv_sec).ok().filter(|_| done);
    let nanos = seconds.and_then(|seconds| seconds.checked_mul(1_000_000_000)?.checked_add(now.tv_nsec as u64));
    nanos.unwrap_or_else(super::now)
}

/// Bytes of a page.
pub(super) fn page() -> u64 {
    #[allow(unsafe_code)]
    // SAFETY: reads a constant of the system.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(page).unwrap_or(u64::MAX)
}
