//! A listening socket in the file system, and its file's beginning and end.

use crate::error::Error;
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind as Io};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The file of a listening socket, which is removed when this is dropped, unless another has taken its place. To be dropped
/// before the socket: until then nobody replaces it.
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
        // Without it a socket that another start has bound and does not listen on yet would look left behind.
        let _lock = lock(path.parent().unwrap_or(Path::new("/")))?;
        let socket = match bind(path) {
            Err(error) if error.kind() == Io::AddrInUse => {
                remove_stale(path)?;
                bind(path)?
            }
            bound => bound?,
        };
        let file = SocketFile { path: path.to_owned(), id: id(path)? };
        fs::set_permissions(path, Permissions::from_mode(mode))?;
        // Only from here on can anybody connect, with these permissions.
        socket.listen(BACKLOG)?;
        Ok((socket.into(), file))
    };
    open().map_err(|error: io::Error| {
        let text = format!("cannot listen on unix:{}{}", path.display(), remedy(path, &error));
        Error::system(text, error)
    })
}

/// For how long the directory may be locked by others.
const LOCKED: Duration = Duration::from_secs(2);

/// Has no other exporter start in this directory until what is given is dropped, or the process ends. It locks the
/// directory itself, so there is no file to leave behind.
fn lock(directory: &Path) -> io::Result<File> {
    let file = File::open(directory)?;
    let give_up = Instant::now() + LOCKED;
    loop {
        match try_lock(&file) {
            Err(error) if error.kind() == Io::WouldBlock && Instant::now() < give_up => {
                std::thread::sleep(Duration::from_millis(1));
            }
            // Where a file system has no locks, it goes without: two starts at one time are rare.
            Err(error) if error.kind() != Io::WouldBlock => return Ok(file),
            tried => return tried.map(|()| file),
        }
    }
}

#[allow(unsafe_code)]
fn try_lock(file: &File) -> io::Result<()> {
    // SAFETY: a plain system call without memory; the descriptor is open for as long as `file` is borrowed.
    let result = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Connections that wait to be accepted; the system has a limit of its own.
const BACKLOG: i32 = 1024;

/// Makes a socket and its file, whose permissions are the owner's only on Linux, and elsewhere those that the process's
/// umask leaves; nobody can connect yet.
fn bind(path: &Path) -> io::Result<Socket> {
    let address = SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    // The file gets those of the socket, where a socket has some.
    let _ = File::from(OwnedFd::from(socket.try_clone()?)).set_permissions(Permissions::from_mode(0o600));
    socket.bind(&address)?;
    Ok(socket)
}

/// Removes the file of a socket that nobody listens on any more, which takes the lock; an error of this kind otherwise.
fn remove_stale(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(Io::AlreadyExists.into());
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Somebody whose backlog is full listens too, and must not be waited for.
    probe.set_nonblocking(true)?;
    match probe.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == Io::ConnectionRefused => fs::remove_file(path),
        _ => Err(Io::AddrInUse.into()),
    }
}

fn remedy(path: &Path, error: &io::Error) -> &'static str {
    match error.kind() {
        Io::AddrInUse => ", as another process listens there: choose another path, or find that process (ss -lxp)",
        Io::WouldBlock => ", as another process keeps its directory locked: choose another directory, or try again",
        Io::AlreadyExists => ", as there is a file that is no socket: choose another path, or remove it",
        Io::NotFound if path.parent().is_some_and(|parent| !parent.is_dir()) => {
            ", as its directory does not exist: make that first"
        }
        Io::PermissionDenied => ", as the process may not read and write its directory: choose another, or let it",
        Io::InvalidInput => ", as a socket's path has at most 107 bytes: choose a shorter one",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::{Domain, PermissionsExt, SockAddr, Socket, Type, bind, fs, listen, lock};
    use std::path::PathBuf;

    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("tach-unix-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn connect(path: &std::path::Path) -> std::io::Result<Socket> {
        let client = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        client.set_nonblocking(true).unwrap();
        client.connect(&SockAddr::unix(path).unwrap()).map(|()| client)
    }

    #[test]
    fn no_file_is_open_to_others_before_its_permissions_are_set() {
        let directory = Directory::new("mode");
        let path = directory.0.join("metrics.sock");
        let _socket = bind(&path).unwrap();
        #[cfg(target_os = "linux")]
        assert_eq!(fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o177, 0);
        // And whoever may write to it finds nobody there.
        assert!(connect(&path).is_err());
    }

    #[test]
    fn a_socket_that_takes_no_more_connections_is_in_use() {
        let directory = Directory::new("full");
        let path = directory.0.join("metrics.sock");
        let socket = bind(&path).unwrap();
        socket.listen(1).unwrap();
        let mut clients = Vec::new();
        while let Ok(client) = connect(&path) {
            clients.push(client);
        }
        // Were it waited for, it would be for ever.
        let error = listen(&path, 0o600).map(drop).unwrap_err().to_string();
        assert!(error.contains("another process listens"), "{error}");
        assert!(path.exists() && !clients.is_empty());
    }

    #[test]
    fn of_several_starts_at_once_one_listens() {
        let directory = Directory::new("starts");
        let path = directory.0.join("metrics.sock");
        for round in 0..200 {
            // What a killed process leaves.
            let stale = round % 2 == 0;
            if stale {
                drop(bind(&path).unwrap());
            }
            let begin = std::sync::Barrier::new(4);
            let started: Vec<_> = std::thread::scope(|scope| {
                let start = || {
                    begin.wait();
                    listen(&path, 0o600)
                };
                let threads = [(); 4].map(|()| scope.spawn(start));
                threads.into_iter().filter_map(|thread| thread.join().unwrap().ok()).collect()
            });
            assert_eq!(started.len(), 1, "round {round}");
            assert!(connect(&path).is_ok());
            for (socket, file) in started {
                drop(file);
                drop(socket);
            }
        }
    }

    #[test]
    fn a_directory_that_stays_locked_is_an_error() {
        let directory = Directory::new("locked");
        let held = lock(&directory.0).unwrap();
        let error = listen(&directory.0.join("metrics.sock"), 0o600).map(drop).unwrap_err().to_string();
        assert!(error.contains("keeps its directory locked"), "{error}");
        drop(held);
        assert!(listen(&directory.0.join("metrics.sock"), 0o600).is_ok());
    }
}
