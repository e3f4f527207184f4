//! A listening socket in the file system, and its file's beginning and end.

use crate::error::Error;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind as Io};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// The file of a listening socket, which is removed when this is dropped, unless another has taken its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    id: (u64, u64),
}

impl SocketFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if id(&self.path).is_ok_and(|id| id == self.id) {
            // If it cannot be removed the next start will find it stale.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Which file it is, whatever it is called.
fn id(path: &Path) -> io::Result<(u64, u64)> {
    let data = fs::symlink_metadata(path)?;
    Ok((data.dev(), data.ino()))
}

/// Opens a listening socket that does not block, whose file has the permissions `mode`.
pub(super) fn listen(path: &Path, mode: u32) -> Result<(UnixListener, SocketFile), Error> {
    let open = || {
        let listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == Io::AddrInUse => {
                remove_stale(path)?;
                UnixListener::bind(path)?
            }
            bound => bound?,
        };
        let file = SocketFile { path: path.to_owned(), id: id(path)? };
        // Until here they are what the process's umask leaves.
        fs::set_permissions(path, Permissions::from_mode(mode))?;
        listener.set_nonblocking(true)?;
        Ok((listener, file))
    };
    open().map_err(|error: io::Error| {
        let text = format!("cannot listen on unix:{}{}", path.display(), remedy(path, &error));
        Error::system(text, error)
    })
}

/// Removes the file of a socket that nobody listens on any more; an error of this kind otherwise.
fn remove_stale(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(Io::AlreadyExists.into());
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == Io::ConnectionRefused => fs::remove_file(path),
        _ => Err(Io::AddrInUse.into()),
    }
}

fn remedy(path: &Path, error: &io::Error) -> &'static str {
    match error.kind() {
        Io::AddrInUse => ", as another process listens there: choose another path, or find that process (ss -lxp)",
        Io::AlreadyExists => ", as there is a file that is no socket: choose another path, or remove it",
        Io::NotFound if path.parent().is_some_and(|parent| !parent.is_dir()) => {
            ", as its directory does not exist: make that first"
        }
        Io::PermissionDenied => ", as the process may not write to its directory: choose another, or let it",
        Io::InvalidInput => ", as a socket's path has at most 107 bytes: choose a shorter one",
        _ => "",
    }
}
