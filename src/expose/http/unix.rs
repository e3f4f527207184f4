//! A listening socket in the file system, and its file's beginning and end.

use crate::error::Error;
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind as Io};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
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

/// Removes the file of a socket that nobody listens on any more; an error of this kind otherwise.
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
        Io::AlreadyExists => ", as there is a file that is no socket: choose another path, or remove it",
        Io::NotFound if path.parent().is_some_and(|parent| !parent.is_dir()) => {
            ", as its directory does not exist: make that first"
        }
        Io::PermissionDenied => ", as the process may not write to its directory: choose another, or let it",
        Io::InvalidInput => ", as a socket's path has at most 107 bytes: choose a shorter one",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::{Domain, PermissionsExt, SockAddr, Socket, Type, bind, fs, listen};
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
}
