//! `prometheus`: with handles that are held, and looked up by labels for each token.

use super::{BOUNDS, Contender, EachToken, Record, observed};
use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};

/// The labels that vLLM's series have.
const LABELS: [&str; 2] = ["model_name", "engine"];
const VALUES: [&str; 2] = ["mock", "0"];

/// A counter and a histogram in a registry.
#[derive(Clone)]
pub(super) struct Families {
    tokens: IntCounterVec,
    itl: HistogramVec,
}

impl Families {
    pub(super) fn new() -> Result<Self, prometheus::Error> {
        let families = Self {
            tokens: IntCounterVec::new(Opts::new("generation_tokens_total", "Tokens."), &LABELS)?,
            itl: HistogramVec::new(
                HistogramOpts::new("inter_token_latency_seconds", "Gaps.").buckets(BOUNDS.to_vec()),
                &LABELS,
            )?,
        };
        let registry = Registry::new();
        let all: [Box<dyn Collector>; 2] = [Box::new(families.tokens.clone()), Box::new(families.itl.clone())];
        all.into_iter().try_for_each(|family| registry.register(family))?;
        Ok(families)
    }

    pub(super) fn held(&self) -> Held {
        Held { tokens: self.tokens.with_label_values(&VALUES), itl: self.itl.with_label_values(&VALUES) }
    }
}

/// Handles of one set of labels.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) tokens: IntCounter,
    pub(super) itl: Histogram,
}

impl Record for Held {
    #[inline]
    fn token(&mut self, gap: Option<u64>) {
        if let Some(gap) = gap {
            self.itl.observe(gap as f64 / 1e9);
        }
        self.tokens.inc();
    }
}

impl Record for Families {
    #[inline]
    fn token(&mut self, gap: Option<u64>) {
        if let Some(gap) = gap {
            self.itl.with_label_values(&VALUES).observe(gap as f64 / 1e9);
        }
        self.tokens.with_label_values(&VALUES).inc();
    }
}

pub(crate) fn contenders() -> Result<Vec<Contender>, prometheus::Error> {
    let (held, families) = (Families::new()?.held(), Families::new()?);
    Ok(vec![
        Contender::new("prometheus, handles held", "", move |trace, settings| {
            observed(trace, settings, || EachToken(held.clone()), || Some(held.tokens.get()))
        }),
        Contender::new("prometheus with_label_values", "2 labels, looked up per token", move |trace, settings| {
            let counted = || Some(families.tokens.with_label_values(&VALUES).get());
            observed(trace, settings, || EachToken(families.clone()), counted)
        }),
    ])
}
