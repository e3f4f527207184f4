//! Looks at what goes up and down in mid-run: at the end it is zero, as if nothing had ever been recorded.

use tach::Registry;

/// Which of some instruments were above zero at some time.
#[derive(Debug)]
pub(crate) struct Peek {
    registry: Registry,
    unseen: Vec<&'static str>,
    pub(crate) seen: Vec<&'static str>,
}

impl Peek {
    /// `names` without the `maxserve.` before them.
    pub(crate) fn new(registry: Registry, names: Vec<&'static str>) -> Self {
        Self { registry, unseen: names, seen: Vec::new() }
    }

    pub(super) fn look(&mut self) {
        let snapshot = self.registry.snapshot();
        let above_zero = |name: &&str| snapshot.gauge(&format!("maxserve.{name}"), &[]).is_some_and(|n| n > 0.0);
        let (seen, unseen) = self.unseen.iter().copied().partition::<Vec<_>, _>(above_zero);
        self.seen.extend(seen);
        self.unseen = unseen;
    }

    pub(super) fn is_done(&self) -> bool {
        self.unseen.is_empty()
    }
}
