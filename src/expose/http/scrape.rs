//! From a scrape to a page: a collection that begins after it, rendered once for all the scrapes that it answers.

use super::negotiate::Body;
use super::own::Own;
use super::page::Page;
use super::request::Wanted;
use super::respond::{Refusal, Scraped};
use crate::collect::{Collector, FamilySnapshot, Snapshot};
use crate::describe::{Resource, TARGET_NAMES};
use crate::error::Error;
use crate::expose::families::Families;
use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

/// How often a scrape that finds no place asks for one.
const HURRY: Duration = Duration::from_millis(100);

/// How families are printed, into an empty buffer.
type Render = fn(Body, &Families<'_>, Vec<u8>) -> Vec<u8>;

type View = dyn Fn(&Snapshot) -> Snapshot + Send + Sync;

/// What is exposed of a snapshot.
#[derive(Clone, Default)]
pub(super) struct Showing {
    /// `None`: all of it.
    view: Option<Arc<View>>,
    /// Whose metrics these are, where that is to be shown.
    target: Option<Arc<FamilySnapshot>>,
}

impl Showing {
    pub(super) fn view(self, view: impl Fn(&Snapshot) -> Snapshot + Send + Sync + 'static) -> Self {
        Self { view: Some(Arc::new(view)), ..self }
    }

    /// Has whose metrics these are shown.
    pub(super) fn target(self, resource: &Resource) -> Result<Self, Error> {
        Ok(Self { target: Some(FamilySnapshot::target(resource)?), ..self })
    }

    /// Has `reserve` keep the names of what tells whose metrics these are, each with who has it, from other metrics, if that
    /// is shown. They are kept for good, so this is to be the last that can fail.
    pub(super) fn keep_names(
        &self,
        reserve: impl FnOnce(&[(String, String)]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let names = TARGET_NAMES.map(|name| (name.to_owned(), "target_info of an exporter".to_owned()));
        self.target.as_ref().map_or(Ok(()), |_| reserve(&names))
    }

    /// What is exposed of `snapshot`.
    pub(super) fn show(&self, snapshot: &Snapshot) -> Snapshot {
        let shown = self.view.as_ref().map_or_else(|| snapshot.clone(), |view| view(snapshot));
        shown.with_target(self.target.as_ref())
    }
}

impl fmt::Debug for Showing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Showing").finish_non_exhaustive()
    }
}

/// Makes pages.
pub(super) struct Scraper {
    collector: Arc<Collector>,
    showing: Showing,
    /// What is added to it.
    own: Option<Rc<Own>>,
    render: Render,
    /// One for each scrape under way, until its response is sent: so many pages are in memory at most.
    places: Arc<Semaphore>,
    /// The longest that a scrape may wait.
    limit: Duration,
    last: RefCell<Option<Last>>,
}

/// The last snapshot that was shown, and its pages.
struct Last {
    snapshot: Snapshot,
    /// As the view shows it.
    shown: Snapshot,
    /// Whether a name in it may have to be escaped.
    utf8: bool,
    /// The exporter's own metrics at that moment.
    own: Option<Snapshot>,
    pages: Vec<(Body, Rc<Page>)>,
    /// The pages of the snapshot before, for their buffers.
    spare: Vec<Rc<Page>>,
}

impl fmt::Debug for Scraper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scraper").field("collector", &self.collector).finish_non_exhaustive()
    }
}

impl Scraper {
    pub(super) fn new(collector: Arc<Collector>, render: Render, scrapes: usize, limit: Duration) -> Self {
        let places = Arc::new(Semaphore::new(scrapes.min(Semaphore::MAX_PERMITS)));
        Self { collector, showing: Showing::default(), own: None, render, places, limit, last: RefCell::default() }
    }

    /// The same that shows something else, and the exporter's own metrics.
    pub(super) fn showing(self, showing: Showing, own: Rc<Own>) -> Self {
        Self { showing, own: Some(own), ..self }
    }

    /// Has a page made of what is recorded by now, within the client's patience and the own limit. `hurry` is called now
    /// and then while there is no place for it: it ends a response that is read too slowly.
    pub(super) async fn scrape(&self, wanted: &Wanted, hurry: impl Fn()) -> Result<Scraped, Refusal> {
        let limit = wanted.timeout.map_or(self.limit, |patience| patience.min(self.limit));
        let collected = timeout(limit, async {
            // One future all along, as it has its turn among those that wait.
            let mut place = pin!(Arc::clone(&self.places).acquire_owned());
            let place = loop {
                match timeout(HURRY, place.as_mut()).await {
                    Ok(place) => break place.ok()?,
                    Err(_) => hurry(),
                }
            };
            let (sender, receiver) = oneshot::channel();
            self.collector.request(move |snapshot| {
                // Nobody receives when the time was over.
                let _ = sender.send(snapshot);
            });
            Some((place, receiver.await.ok()?))
        });
        // Neither in time nor from a collector that has stopped.
        let (place, snapshot) = collected.await.ok().flatten().ok_or(Refusal::Late)?;
        Ok(Scraped { page: self.page(snapshot, wanted)?, _place: Some(place) })
    }

    /// The page of a snapshot, which is rendered for the first that asks for it in this format, or for some names only.
    fn page(&self, snapshot: Snapshot, wanted: &Wanted) -> Result<Rc<Page>, Refusal> {
        let mut slot = self.last.borrow_mut();
        // Taken out, so that nothing half-made stays behind a panic.
        let last = match slot.take() {
            Some(last) if same(&last.snapshot, &snapshot) => last,
            before => {
                let shown = catch(|| self.showing.show(&snapshot))?;
                let own = self.own.as_ref().map(|own| own.beside(&snapshot));
                let spare = before.map_or_else(Vec::new, |last| last.pages.into_iter().map(|(_, page)| page).collect());
                let families = own.iter().chain([&shown]).flat_map(Snapshot::families);
                let utf8 = families.chain(shown.target()).any(|family| family.desc.utf8);
                Last { snapshot, shown, utf8, own, pages: Vec::new(), spare }
            }
        };
        let last = slot.insert(last);
        let body = if last.utf8 { wanted.format.body } else { wanted.format.body.of_plain_names() };
        if !wanted.names.is_empty() {
            let only = |snapshot: &Snapshot| snapshot.only(&wanted.names);
            let (named, own) = (only(&last.shown), last.own.as_ref().map(only));
            return catch(|| Rc::new(Page::render(None, |buffer| self.print(body, &named, own.as_ref(), buffer))));
        }
        if let Some((_, page)) = last.pages.iter().find(|(of, _)| *of == body) {
            return Ok(Rc::clone(page));
        }
        let old = last.spare.pop();
        let page =
            catch(|| Rc::new(Page::render(old, |buffer| self.print(body, &last.shown, last.own.as_ref(), buffer))))?;
        last.pages.push((body, Rc::clone(&page)));
        Ok(page)
    }

    /// Prints what is shown, and the exporter's own metrics among it.
    fn print(&self, body: Body, shown: &Snapshot, own: Option<&Snapshot>, buffer: Vec<u8>) -> Vec<u8> {
        (self.render)(body, &Families::with(shown, own), buffer)
    }
}

/// Does what may panic: a user's view, or rendering.
pub(super) fn catch<T>(make: impl FnOnce() -> T) -> Result<T, Refusal> {
    catch_unwind(AssertUnwindSafe(make)).map_err(|_| Refusal::Broken)
}

/// Whether these are clones of one snapshot. Both are held, so one address is one snapshot (or both are empty).
fn same(a: &Snapshot, b: &Snapshot) -> bool {
    std::ptr::eq(a.families(), b.families())
}

#[cfg(test)]
mod tests {
    use super::{Scraper, same};
    use crate::Registry;
    use crate::collect::Collector;
    use crate::expose::http::negotiate::{Body, Offer, negotiate};
    use crate::expose::http::request::Wanted;
    use crate::expose::http::respond::Refusal;
    use crate::expose::openmetrics;
    use crate::expose::text;
    use std::rc::Rc;
    use std::sync::Arc;
    use std::time::Duration;

    fn scraper(render: super::Render) -> Scraper {
        let collector = Collector::start(&Registry::new(), None).unwrap();
        Scraper::new(Arc::new(collector), render, 2, Duration::from_secs(10))
    }

    fn wanted(accept: &str, names: &[&str]) -> Wanted {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        Wanted { format: negotiate(accept, Offer::new()), names, ..Wanted::default() }
    }

    #[test]
    fn a_snapshot_is_rendered_once_for_each_format() {
        let scraper = scraper(Body::render);
        let (first, second) = (scraper.collector.refresh(), scraper.collector.refresh());
        assert!(same(&first, &first.clone()) && !same(&first, &second));
        let [text, text_1, open] =
            ["", "text/plain;version=1.0.0;escaping=allow-utf-8", "application/openmetrics-text"]
                .map(|accept| wanted(accept, &[]));
        let page = scraper.page(first.clone(), &text).unwrap();
        assert_eq!(page.bytes(), text::render(&first).as_bytes());
        let other = scraper.page(first.clone(), &open).unwrap();
        assert_eq!(other.bytes(), openmetrics::render(&first).as_bytes());
        for (wanted, page) in [(&text, &page), (&text_1, &page), (&open, &other)] {
            assert!(Rc::ptr_eq(page, &scraper.page(first.clone(), wanted).unwrap()));
        }
        assert!(!Rc::ptr_eq(&page, &scraper.page(second, &text).unwrap()));
    }

    #[test]
    fn buffers_serve_the_next_snapshot_whatever_its_format() {
        let scraper = scraper(|_, _, mut buffer| {
            buffer.push(b'x');
            buffer
        });
        let mut before = None;
        for accept in ["", "application/openmetrics-text", "", ""] {
            let page = scraper.page(scraper.collector.refresh(), &wanted(accept, &[])).unwrap();
            assert_eq!(page.bytes(), b"x");
            let at = page.bytes().as_ptr();
            assert_eq!(before.replace(at).unwrap_or(at), at);
        }
    }

    #[test]
    fn a_page_of_some_names_is_nobody_elses() {
        let scraper = scraper(Body::render);
        let snapshot = scraper.collector.refresh();
        let page = |names: &[&str]| scraper.page(snapshot.clone(), &wanted("", names)).unwrap();
        let families = |names: &[&str]| {
            let page = page(names);
            std::str::from_utf8(page.bytes()).unwrap().matches("# TYPE ").count()
        };
        assert!(families(&[]) > 2);
        assert_eq!(families(&["tach_series", "tach_callback_panics_total", "tach_none"]), 2);
        assert_eq!(families(&["tach_callback_panics"]), 1);
        assert_eq!(families(&["tach_none"]), 0);
        assert_eq!(page(&[]).bytes(), text::render(&snapshot).as_bytes());
    }

    #[test]
    fn a_panic_in_rendering_costs_only_that_page() {
        let mut scraper = scraper(|_, _, _| panic!("this test renders with a panic"));
        let (snapshot, text) = (scraper.collector.refresh(), wanted("", &[]));
        assert_eq!(scraper.page(snapshot.clone(), &text).unwrap_err(), Refusal::Broken);
        scraper.render = |_, _, _| b"whole".to_vec();
        assert_eq!(scraper.page(snapshot, &text).unwrap().bytes(), b"whole");
    }
}
