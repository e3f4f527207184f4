//! Where segments are, under which names, and what tells one process from another.

use super::Settings;
use super::system;
use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const DIR: &str = "TACH_SEGMENT_DIR";
const PROCESS_NAME: &str = "TACH_PROCESS_NAME";
/// Characters of the process's name in that of the file.
const NAME_MAX: usize = 64;

/// The directory, made if it is not there, and checked.
pub(super) fn dir(settings: &Settings) -> Result<PathBuf, String> {
    let told = settings.dir.clone().or_else(|| env::var_os(DIR).filter(|dir| !dir.is_empty()).map(PathBuf::from));
    let user = system::user();
    let is_told = told.is_some();
    let dir = told.unwrap_or_else(|| PathBuf::from(format!("/dev/shm/tach-{user}")));
    let shown = dir.display();
    if let Err(error) = DirBuilder::new().mode(0o700).create(&dir)
        && error.kind() != ErrorKind::AlreadyExists
    {
        return Err(format!("cannot make the directory {shown}: {error}"));
    }
    // The default is where anybody may make names: so it must not be a link that somebody else has put there.
    let follow = if is_told { 0 } else { libc::O_NOFOLLOW };
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | follow).open(&dir);
    let opened = opened.map_err(|error| format!("cannot open the directory {shown}: {error}"))?;
    let owner = opened.metadata().map_err(|error| format!("cannot look at the directory {shown}: {error}"))?.uid();
    if owner != user && (owner != 0 || !is_told) {
        return Err(format!("the directory {shown} belongs to user {owner}, and this process is of user {user}"));
    }
    match system::is_memory(&opened) {
        Ok(true) => Ok(dir),
        Ok(false) => Err(format!("the directory {shown} is not on tmpfs, so that recording could wait for a disk")),
        Err(error) => Err(format!("cannot look at the file system of {shown}: {error}")),
    }
}

/// What the process is called.
pub(super) fn process_name(settings: &Settings) -> String {
    let told = settings.process_name.clone().or_else(|| env::var(PROCESS_NAME).ok());
    let own = || env::current_exe().ok()?.file_name().map(|name| name.to_string_lossy().into_owned());
    told.filter(|name| !name.is_empty()).or_else(own).unwrap_or_else(|| "process".to_owned())
}

/// The file's name, without `.tach`.
pub(super) fn file_name(process: &str, id: u64) -> String {
    let sane = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
    let process: String = process.chars().take(NAME_MAX).map(sane).collect();
    format!("{process}-{}-{id:016x}", std::process::id())
}

/// Opens a file for reading and writing that is no link; `new`: which is not there yet.
pub(super) fn open(path: &Path, new: bool) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(new).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)
}

/// Two words of chance.
pub(crate) fn id() -> std::io::Result<[u64; 2]> {
    let mut words = [[0; 8]; 2];
    File::open("/dev/urandom")?.read_exact(words.as_flattened_mut())?;
    Ok(words.map(u64::from_ne_bytes))
}

/// When the process started, in the kernel's ticks since boot; zero where that is not known.
pub(super) fn started() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field, a name in brackets, may contain anything.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    rest.split_whitespace().nth(19).and_then(|ticks| ticks.parse().ok()).unwrap_or(0)
}

/// The kernel's boot id; zeros where it is not known.
pub(super) fn boot() -> [u64; 2] {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let id = u128::from_str_radix(&id.trim().replace('-', ""), 16).unwrap_or(0);
    [(id >> 64) as u64, id as u64]
}

/// The inode of the pid namespace; zero where it is not known.
pub(super) fn pid_namespace() -> u64 {
    fs::metadata("/proc/self/ns/pid").map_or(0, |metadata| metadata.ino())
}
