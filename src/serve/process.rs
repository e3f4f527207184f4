//! What the system knows of this process, under the names that Prometheus's own libraries use. Linux only.

use crate::{Error, Registry, Unit};
#[cfg(target_os = "linux")]
use std::fs;

/// Registers them: read from `/proc` at every collection, some 50 µs. Elsewhere there are none.
///
/// # Errors
///
/// A metric of the registry has one of the names.
#[cfg(target_os = "linux")]
pub(crate) fn register(registry: &Registry) -> Result<(), Error> {
    // What cannot be read is NaN, and not 0.
    let gauge = |name: &str, help: &str, read: fn() -> Option<f64>| {
        registry.gauge(name).help(help).observe(move || read().unwrap_or(f64::NAN))
    };
    registry
        .float_counter("process_cpu_seconds")
        .help("Time that the process has run on processors, in user and system mode, in seconds.")
        .unit(Unit::Seconds)
        .observe(|| cpu_seconds().unwrap_or(f64::NAN))?;
    // Once: the system's idea of its own start moves with its clock.
    let start = start_time().unwrap_or(f64::NAN);
    registry.observe_gauge(
        "process_start_time_seconds",
        "When the process was started, in Unix seconds.",
        move || start,
    )?;
    gauge("process_resident_memory_bytes", "Memory of the process that is in RAM, in bytes.", || status("VmRSS"))?;
    gauge("process_virtual_memory_bytes", "Address space of the process, in bytes.", || status("VmSize"))?;
    gauge("process_open_fds", "Files and sockets that the process has open.", open_fds)?;
    gauge("process_max_fds", "Files and sockets that the process may have open.", max_fds)
}

/// There are none here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn register(_registry: &Registry) -> Result<(), Error> {
    Ok(())
}

/// Field `number` of `/proc/self/stat`, counted from 1 as proc(5) does.
#[cfg(target_os = "linux")]
fn stat(number: usize) -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the command's name, in parentheses, which may hold spaces and parentheses itself.
    let (_, rest) = text.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

/// Clock ticks per second of the kernel's interface: `USER_HZ`, 100 on every architecture that Rust's Linux targets have.
#[cfg(target_os = "linux")]
const TICKS: f64 = 100.0;

#[cfg(target_os = "linux")]
fn cpu_seconds() -> Option<f64> {
    Some((stat(14)? + stat(15)?) / TICKS)
}

#[cfg(target_os = "linux")]
fn start_time() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let boot: f64 = text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot + stat(22)? / TICKS)
}

/// A line of `/proc/self/status` that is given in KiB, in bytes.
#[cfg(target_os = "linux")]
fn status(name: &str) -> Option<f64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.split_ascii_whitespace().next()?.parse::<f64>().ok()? * 1024.0)
}

#[cfg(target_os = "linux")]
fn open_fds() -> Option<f64> {
    // Less the one that reading the directory takes.
    Some(fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1) as f64)
}

#[cfg(target_os = "linux")]
fn max_fds() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/limits").ok()?;
    let soft = text.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_ascii_whitespace().next()?;
    if soft == "unlimited" { Some(f64::INFINITY) } else { soft.parse().ok() }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::text;

    #[test]
    fn what_the_system_knows_is_exposed() {
        let registry = Registry::new();
        register(&registry).unwrap();
        let snapshot = registry.snapshot();
        let gauge = |name: &str| snapshot.gauge(name, &[]).unwrap();
        let now = snapshot.time().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        let start = gauge("process_start_time_seconds");
        assert!(start > now - 1e8 && start < now + 10.0, "started at {start}, and it is {now}");
        let (resident, space) = (gauge("process_resident_memory_bytes"), gauge("process_virtual_memory_bytes"));
        assert!(resident > 1e5 && space > resident, "{resident} of {space} bytes");
        let (open, max) = (gauge("process_open_fds"), gauge("process_max_fds"));
        assert!(open >= 3.0 && max > open, "{open} of {max} files");
        assert!(snapshot.float_counter("process_cpu_seconds", &[]).unwrap() >= 0.0);
        let page = text::render(&snapshot);
        assert!(page.contains("# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total "), "{page}");
        assert!(page.contains("\nprocess_resident_memory_bytes "), "{page}");
    }
}
