//! A scraped page, and how to read it.

use crate::client::Client;
use tach::serve::Serving;

pub(crate) struct Page(pub(crate) String);

/// Scrapes with a connection of its own.
pub(crate) fn scrape(serving: &Serving) -> Page {
    let address = serving.local_addr().expect("it listens");
    let response = Client::connect_to(address).request("GET", "/metrics", "Connection: close\r\n");
    assert_eq!(response.status, 200);
    Page(response.text().to_owned())
}

impl Page {
    /// Every sample but those of tach itself: name with labels, and value.
    pub(crate) fn samples(&self) -> impl Iterator<Item = (&str, f64)> {
        let lines = self.0.lines().filter(|line| !line.starts_with('#') && !line.starts_with("tach_"));
        lines.map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line:?}"));
            (series, value.parse().unwrap_or_else(|_| panic!("no number: {line:?}")))
        })
    }

    /// The value of one series, labels and all.
    pub(crate) fn value(&self, series: &str) -> Option<f64> {
        let line = self.0.lines().find(|line| line.rsplit_once(' ').is_some_and(|(name, _)| name == series))?;
        line.rsplit_once(' ')?.1.parse().ok()
    }

    /// The values of all series of this name, whatever their labels.
    pub(crate) fn values(&self, name: &str) -> Vec<f64> {
        let of = |series: &str| series == name || series.strip_prefix(name).is_some_and(|rest| rest.starts_with('{'));
        self.samples().filter(|(series, _)| of(series)).map(|(_, value)| value).collect()
    }

    /// Their sum.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        self.values(name).iter().sum()
    }
}
