//! What the directory of segments needs of the system by calls that need `unsafe`.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Makes the file, if it is not there, and locks it until it is dropped. `None` where somebody else has it locked.
pub(super) fn lock(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    #[allow(unsafe_code)]
    // SAFETY: the descriptor is open; the call touches no memory.
    let locked = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0;
    if locked {
        return Ok(Some(file));
    }
    let error = io::Error::last_os_error();
    if error.kind() == io::ErrorKind::WouldBlock { Ok(None) } else { Err(error) }
}

/// The user whose rights this process has.
pub(super) fn user() -> u32 {
    #[allow(unsafe_code)]
    // SAFETY: always sound.
    unsafe {
        libc::geteuid()
    }
}
