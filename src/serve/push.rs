//! Pushing what is shown by OTLP too, in a build that can.

use super::settings::Settings;
use super::shown::Shown;
#[cfg(feature = "otlp")]
use crate::otlp::{OtlpBuilder, OtlpExporter};
use crate::{Error, Registry, Resource};
use std::sync::Arc;

const VARIABLES: &str = "TACH_OTLP_ENDPOINT (or MAX_SERVE_OTLP_METRICS_ENDPOINT)";

#[cfg(feature = "otlp")]
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"];

/// What pushes, if anything does; for the last time when it is dropped.
#[derive(Debug, Default)]
pub(super) struct Push {
    #[cfg(feature = "otlp")]
    _exporter: Option<OtlpExporter>,
}

impl Push {
    /// Starts it where there is an endpoint. All but that is OpenTelemetry's variables' to say, unless there is a
    /// `resource` already.
    #[cfg(feature = "otlp")]
    pub(super) fn start(
        settings: &Settings,
        registry: &Registry,
        shown: &Arc<Shown>,
        resource: Option<Resource>,
    ) -> Result<Self, Error> {
        let Some(endpoint) = &settings.otlp_endpoint else { return Ok(Self::default()) };
        let view = Arc::clone(shown);
        // Those that say where are for others, and may be what this build cannot do.
        let vars = std::env::vars_os().filter(|(name, _)| !ENDPOINTS.iter().any(|other| name == other));
        let builder = OtlpBuilder::from_vars(vars)?.endpoint(endpoint).view(move |snapshot| view.apply(snapshot));
        let builder = resource.into_iter().fold(builder, OtlpBuilder::resource);
        let exporter = builder.start(registry).map_err(|error| error.within(&format!("serve: {VARIABLES}")))?;
        Ok(Self { _exporter: Some(exporter) })
    }

    /// Refuses an endpoint.
    #[cfg(not(feature = "otlp"))]
    pub(super) fn start(settings: &Settings, _: &Registry, _: &Arc<Shown>, _: Option<Resource>) -> Result<Self, Error> {
        let Some(endpoint) = &settings.otlp_endpoint else { return Ok(Self::default()) };
        let text = format!(
            "serve: {VARIABLES} is {endpoint:?}, but this build cannot push by OTLP: build it with the feature otlp, or \
             unset it, and have the collector scrape /metrics"
        );
        Err(Error::new(crate::ErrorKind::Setting, text))
    }
}
