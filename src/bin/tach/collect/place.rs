//! Whether a directory is where segments can be.

use super::super::outcome::Stop;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Refuses a directory on a disk: processes record to memory only, so no segment will ever be there.
pub(super) fn check(dir: &Path) -> Result<(), Stop> {
    let device = dir.metadata()?.dev();
    let device = format!("{}:{}", libc::major(device), libc::minor(device));
    // Where the system does not tell, the processes will.
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    match system(&mounts, &device) {
        Some(system) if !["tmpfs", "ramfs"].contains(&system) => Err(Stop::Failed(format!(
            "{} is on {system}, and segments are on tmpfs only: give the directory that processes record in, below \
             /dev/shm unless they were told otherwise",
            dir.display()
        ))),
        _ => Ok(()),
    }
}

/// The type of the file system on a device, as `/proc/self/mountinfo` says.
fn system<'a>(mounts: &'a str, device: &str) -> Option<&'a str> {
    let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some(device))?;
    line.split_once(" - ")?.1.split(' ').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_of_a_device_is_found_among_the_mounts() {
        let mounts = "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
                      30 22 0:26 / /dev/shm rw,nosuid - tmpfs tmpfs rw,size=1g\n";
        assert_eq!(system(mounts, "0:26"), Some("tmpfs"));
        assert_eq!(system(mounts, "254:1"), Some("ext4"));
        assert_eq!(system(mounts, "0:2"), None);
    }
}
