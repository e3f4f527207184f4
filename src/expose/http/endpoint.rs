//! The metrics page without a server, for servers that there are already.

use super::negotiate::{Body, Offer};
use super::page::Page;
use super::request::{Ask, Route};
use super::respond::{Content, Refusal, Scraped, respond};
use super::scrape::{Showing, catch};
use crate::collect::{Collector, Snapshot};
use crate::describe::{HistogramBuckets, Resource};
use crate::error::Error;
use crate::expose::families::Families;
use crate::registry::Registry;
use hyper::{Request, Response};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Answers requests for a registry's metrics, to be mounted in a server that there is already, at any path.
///
/// The answers are those of [`Exporter`](crate::Exporter): the format that `Accept` prefers, gzipped where
/// `Accept-Encoding` lets it, some metrics only where the query says `?name[]=…`, 405 to other methods than GET and HEAD.
/// There is no socket, so limits, deadlines, encryption and passwords are the server's; and there are no metrics
/// `tach_exporter_*`.
///
/// Costs one thread, `tach-collector`, on which pages are collected, rendered and compressed: a request waits and does
/// nothing else, in any async runtime or none. Requests at once share a collection, and are rendered one by one.
/// Clones are cheap and share the thread, which ends with the last of them, after the collection under way.
///
/// Requests and responses are those of the crate `http` 1, which are also hyper's, tower's, axum's and tonic's. In axum:
/// `route("/metrics", get(async move |request: Request| endpoint.respond(&request).await.map(Body::from)))`.
///
/// ```
/// use hyper::Request;
/// use tach::{Endpoint, Registry};
///
/// let registry = Registry::new();
/// registry.counter("tokens").build()?.add(5);
/// let endpoint = Endpoint::new(&registry)?;
///
/// let request = Request::get("/metrics?name[]=tokens_total").body(())?;
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # let wait = |response| runtime.block_on(response);
/// let response = wait(endpoint.respond(&request)); // .await
/// assert_eq!(response.status(), 200);
/// assert_eq!(response.headers()["content-type"], tach::text::CONTENT_TYPE);
/// assert!(response.body().ends_with(b"\ntokens_total 5\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Endpoint {
    collector: Arc<Collector>,
    registry: Registry,
    showing: Showing,
    offer: Offer,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("collector", &self.collector).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// The system refuses it.
    pub fn new(registry: &Registry) -> Result<Self, Error> {
        let collector = Arc::new(Collector::start(registry, None)?);
        Ok(Self { collector, registry: registry.clone(), showing: Showing::default(), offer: Offer::new() })
    }

    /// What is exposed of each snapshot; all of it unless told. The last call counts.
    ///
    /// As for [`ExporterBuilder::view`](crate::ExporterBuilder::view), but called for each request, on the thread
    /// `tach-collector`.
    #[must_use]
    pub fn view(self, view: impl Fn(&Snapshot) -> Snapshot + Send + Sync + 'static) -> Self {
        Self { showing: self.showing.view(view), ..self }
    }

    /// Which buckets histograms have in protobuf and OpenMetrics 2.0, as for
    /// [`ExporterBuilder::histogram_buckets`](crate::ExporterBuilder::histogram_buckets).
    #[must_use]
    pub fn histogram_buckets(self, buckets: HistogramBuckets) -> Self {
        Self { offer: self.offer.histogram_buckets(buckets), ..self }
    }

    /// Whose metrics these are, as the metric `target_info`, as for
    /// [`ExporterBuilder::target_info`](crate::ExporterBuilder::target_info).
    ///
    /// # Errors
    ///
    /// An attribute can be no label, or a metric has that name.
    pub fn target_info(self, resource: &Resource) -> Result<Self, Error> {
        let showing = self.showing.target(resource)?;
        showing.keep_names(|names| self.registry.reserve(names))?;
        Ok(Self { showing, ..self })
    }

    /// Whether OpenMetrics has samples `_created`, as for [`ExporterBuilder::created`](crate::ExporterBuilder::created).
    #[must_use]
    pub fn created(self, created: bool) -> Self {
        Self { offer: self.offer.created(created), ..self }
    }

    /// Whether OpenMetrics 2.0 is to be had, as for
    /// [`ExporterBuilder::openmetrics_2`](crate::ExporterBuilder::openmetrics_2).
    #[must_use]
    pub fn openmetrics_2(self, openmetrics_2: bool) -> Self {
        Self { offer: self.offer.openmetrics_2(openmetrics_2), ..self }
    }

    /// Answers a request, of which the method, the query and the headers count, not the path or the body.
    ///
    /// The result waits for a collection that begins after this call. It is as slow as the slowest callback of an
    /// observed metric, so give it a deadline; dropping it is fine. It keeps neither the request nor the endpoint, and
    /// gives 503 if the last endpoint is dropped meanwhile, 500 if a view panics.
    pub fn respond<B>(&self, request: &Request<B>) -> impl Future<Output = Response<Vec<u8>>> + Send + use<B> {
        let query = request.uri().query().unwrap_or_default();
        let ask = Ask::read(request.method(), "/metrics", query, request.headers(), false, self.offer);
        let receiver = match &ask.route {
            Route::Metrics(_) => Some(self.request(ask.clone())),
            _ => None,
        };
        async move {
            let made = match receiver {
                Some(receiver) => receiver.await.ok(),
                None => None,
            };
            made.unwrap_or_else(|| respond(&ask, "", None).map(Content::into_bytes))
        }
    }

    /// Has the answer to a scrape made on the collector's thread.
    fn request(&self, ask: Ask) -> oneshot::Receiver<Response<Vec<u8>>> {
        let (sender, receiver) = oneshot::channel();
        let showing = self.showing.clone();
        self.collector.request(move |snapshot| {
            // Nobody waits any more: spares the rendering.
            if sender.is_closed() {
                return;
            }
            let scraped = page(&ask, &showing, &snapshot);
            // The receiver may be gone by now.
            let _ = sender.send(respond(&ask, "", Some(scraped)).map(Content::into_bytes));
        });
        receiver
    }
}

fn page(ask: &Ask, showing: &Showing, snapshot: &Snapshot) -> Result<Scraped, Refusal> {
    let Route::Metrics(wanted) = &ask.route else { return Err(Refusal::Broken) };
    catch(|| {
        let shown = showing.show(snapshot).only(&wanted.names);
        let page = Page::render(None, |buffer| Body::render(wanted.format.body, &Families::of(&shown), buffer));
        Scraped { page: Rc::new(page), _place: None }
    })
}
