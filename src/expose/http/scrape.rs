//! From a scrape to a page: a collection that begins after it, rendered once for all the scrapes that it answers.

use super::page::Page;
use super::respond::{Refusal, Scraped};
use crate::collect::{Collector, Snapshot};
use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

/// How a snapshot is printed.
type Render = fn(&Snapshot, &mut String);

/// What is exposed of a snapshot.
#[derive(Clone)]
pub(super) struct Viewing(Arc<dyn Fn(&Snapshot) -> Snapshot + Send + Sync>);

impl Viewing {
    pub(super) fn new(view: impl Fn(&Snapshot) -> Snapshot + Send + Sync + 'static) -> Self {
        Self(Arc::new(view))
    }
}

impl fmt::Debug for Viewing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Viewing").finish_non_exhaustive()
    }
}

/// Makes pages.
pub(super) struct Scraper {
    collector: Arc<Collector>,
    /// `None`: all of it.
    view: Option<Viewing>,
    render: Render,
    /// One for each scrape under way, until its response is sent: so many pages are in memory at most.
    places: Arc<Semaphore>,
    /// The longest that a scrape may wait.
    limit: Duration,
    last: RefCell<Option<(Snapshot, Rc<Page>)>>,
}

impl fmt::Debug for Scraper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scraper").field("collector", &self.collector).finish_non_exhaustive()
    }
}

impl Scraper {
    pub(super) fn new(collector: Arc<Collector>, render: Render, scrapes: usize, limit: Duration) -> Self {
        let places = Arc::new(Semaphore::new(scrapes.min(Semaphore::MAX_PERMITS)));
        Self { collector, view: None, render, places, limit, last: RefCell::default() }
    }

    /// The same with another view.
    pub(super) fn viewing(self, view: Option<Viewing>) -> Self {
        Self { view, ..self }
    }

    /// Has a page made of what is recorded by now, within the client's `patience` and the own limit.
    pub(super) async fn scrape(&self, patience: Option<Duration>) -> Result<Scraped, Refusal> {
        let limit = patience.map_or(self.limit, |patience| patience.min(self.limit));
        let collected = timeout(limit, async {
            let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
            let (sender, receiver) = oneshot::channel();
            self.collector.request(move |snapshot| {
                // Nobody receives when the time was over.
                let _ = sender.send(snapshot);
            });
            Some((place, receiver.await.ok()?))
        });
        // Neither in time nor from a collector that has stopped.
        let (place, snapshot) = collected.await.ok().flatten().ok_or(Refusal::Late)?;
        Ok(Scraped { page: self.page(snapshot)?, _place: Some(place) })
    }

    /// The page of a snapshot, which is rendered for the first that asks.
    fn page(&self, snapshot: Snapshot) -> Result<Rc<Page>, Refusal> {
        let mut last = self.last.borrow_mut();
        if let Some((_, page)) = last.as_ref().filter(|(rendered, _)| same(rendered, &snapshot)) {
            return Ok(Rc::clone(page));
        }
        let old = last.take().map(|(_, page)| page);
        let render = || {
            let viewed = self.view.as_ref().map(|view| view.0(&snapshot));
            Page::render(old, |text| (self.render)(viewed.as_ref().unwrap_or(&snapshot), text))
        };
        let page = Rc::new(catch_unwind(AssertUnwindSafe(render)).map_err(|_| Refusal::Broken)?);
        *last = Some((snapshot, Rc::clone(&page)));
        Ok(page)
    }
}

/// Whether these are clones of one snapshot. Both are held, so one address is one snapshot (or both are empty).
fn same(a: &Snapshot, b: &Snapshot) -> bool {
    std::ptr::eq(a.families(), b.families())
}

#[cfg(test)]
mod tests {
    use super::{Scraper, same};
    use crate::collect::{Collector, Snapshot};
    use crate::expose::http::respond::Refusal;
    use crate::{Registry, expose::text};
    use std::rc::Rc;
    use std::sync::Arc;
    use std::time::Duration;

    fn scraper(render: fn(&Snapshot, &mut String)) -> Scraper {
        let collector = Collector::start(&Registry::new(), None).unwrap();
        Scraper::new(Arc::new(collector), render, 2, Duration::from_secs(10))
    }

    #[test]
    fn a_snapshot_is_rendered_once() {
        let scraper = scraper(text::render_into);
        let (first, second) = (scraper.collector.refresh(), scraper.collector.refresh());
        assert!(same(&first, &first.clone()) && !same(&first, &second));
        let page = scraper.page(first.clone()).unwrap();
        assert_eq!(page.text(), text::render(&first).as_bytes());
        assert!(Rc::ptr_eq(&page, &scraper.page(first).unwrap()));
        assert!(!Rc::ptr_eq(&page, &scraper.page(second).unwrap()));
    }

    #[test]
    fn a_panic_in_rendering_costs_only_that_page() {
        let mut scraper = scraper(|_, text| {
            text.push_str("half of ");
            panic!("this test renders with a panic");
        });
        let snapshot = scraper.collector.refresh();
        assert_eq!(scraper.page(snapshot.clone()).unwrap_err(), Refusal::Broken);
        scraper.render = |_, text| text.push_str("whole");
        assert_eq!(scraper.page(snapshot).unwrap().text(), b"whole");
    }
}
