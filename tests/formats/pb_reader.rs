//! A reader of Prometheus' protobuf messages that knows their fields, and refuses what else there is.

use crate::model::Labels;

/// A field: its number, and what it holds.
#[derive(Debug, PartialEq)]
pub(crate) enum Field<'a> {
    Number(u64),
    Float(f64),
    Bytes(&'a [u8]),
}

pub(crate) fn varint(bytes: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let canonical = index == 0 || *byte != 0;
            *bytes = &bytes[index + 1..];
            return if canonical { Ok(value) } else { Err("a number that is longer than it need be".to_owned()) };
        }
    }
    Err("a number without an end".to_owned())
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Result<&'a [u8], String> {
    let (now, later) = bytes.split_at_checked(len).ok_or("content that is cut short")?;
    *bytes = later;
    Ok(now)
}

/// The fields of a message, in order.
pub(crate) fn fields(mut bytes: &[u8]) -> Result<Vec<(u64, Field<'_>)>, String> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut bytes)?),
            1 => Field::Float(f64::from_le_bytes(take(&mut bytes, 8)?.try_into().unwrap())),
            2 => {
                let len = varint(&mut bytes)?;
                Field::Bytes(take(&mut bytes, usize::try_from(len).unwrap())?)
            }
            wire => return Err(format!("the wire type {wire}")),
        };
        fields.push((tag >> 3, field));
    }
    Ok(fields)
}

pub(crate) fn signed(value: u64) -> i64 {
    let half = (value >> 1).cast_signed();
    if value & 1 == 1 { !half } else { half }
}

pub(crate) fn text(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|error| error.to_string())
}

pub(crate) fn unknown<T>(message: &str, field: &(u64, Field<'_>)) -> Result<T, String> {
    Err(format!("{message} has {field:?}"))
}

#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) help: String,
    pub(crate) kind: Option<u64>,
    pub(crate) unit: String,
    pub(crate) metrics: Vec<Metric>,
}

#[derive(Debug, Default)]
pub(crate) struct Metric {
    pub(crate) labels: Labels,
    pub(crate) gauge: Option<f64>,
    pub(crate) counter: Option<f64>,
    pub(crate) exemplar: Option<Exemplar>,
    /// Of a counter, histogram or summary, in nanoseconds since 1970.
    pub(crate) start: Option<u64>,
    pub(crate) histogram: Option<Histogram>,
    pub(crate) summary: Option<Summary>,
}

#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) count: u64,
    pub(crate) sum: f64,
    /// By share.
    pub(crate) quantiles: Vec<(f64, f64)>,
}

#[derive(Debug, Default)]
pub(crate) struct Histogram {
    pub(crate) count: u64,
    pub(crate) sum: f64,
    /// Upper bound and cumulative count. (One of infinity is here only where it has no exemplar.)
    pub(crate) buckets: Vec<(f64, u64)>,
    /// With the upper bounds of their buckets.
    pub(crate) bucket_exemplars: Vec<(f64, Exemplar)>,
    pub(crate) exemplars: Vec<Exemplar>,
    pub(crate) schema: Option<i64>,
    pub(crate) zero_threshold: f64,
    pub(crate) zero_count: u64,
    pub(crate) spans: Vec<(i64, u64)>,
    pub(crate) deltas: Vec<i64>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Exemplar {
    pub(crate) labels: Labels,
    pub(crate) value: f64,
    /// In nanoseconds since 1970.
    pub(crate) time: u64,
}

/// Reads a whole body.
pub(crate) fn read(mut bytes: &[u8]) -> Result<Vec<Family>, String> {
    let mut families = Vec::new();
    while !bytes.is_empty() {
        let len = varint(&mut bytes)?;
        families.push(family(take(&mut bytes, usize::try_from(len).unwrap())?)?);
    }
    Ok(families)
}

fn family(bytes: &[u8]) -> Result<Family, String> {
    let mut family = Family::default();
    for field in fields(bytes)? {
        match field {
            (1, Field::Bytes(bytes)) => family.name = text(bytes)?,
            (2, Field::Bytes(bytes)) => family.help = text(bytes)?,
            (3, Field::Number(kind)) => family.kind = Some(kind),
            (4, Field::Bytes(bytes)) => family.metrics.push(metric(bytes)?),
            (5, Field::Bytes(bytes)) => family.unit = text(bytes)?,
            field => return unknown("MetricFamily", &field),
        }
    }
    Ok(family)
}

fn metric(bytes: &[u8]) -> Result<Metric, String> {
    let mut metric = Metric::default();
    for field in fields(bytes)? {
        match field {
            (1, Field::Bytes(bytes)) => {
                let (name, value) = label(bytes)?;
                if value.is_empty() || metric.labels.insert(name, value).is_some() {
                    return Err("an empty label, or one that is there twice".to_owned());
                }
            }
            (2, Field::Bytes(bytes)) => metric.gauge = Some(value(bytes)?),
            (3, Field::Bytes(bytes)) => counter(bytes, &mut metric)?,
            (4, Field::Bytes(bytes)) => summary(bytes, &mut metric)?,
            (7, Field::Bytes(bytes)) => (metric.histogram, metric.start) = histogram(bytes)?,
            field => return unknown("Metric", &field),
        }
    }
    Ok(metric)
}

fn label(bytes: &[u8]) -> Result<(String, String), String> {
    match &*fields(bytes)? {
        [(1, Field::Bytes(name)), (2, Field::Bytes(value))] => Ok((text(name)?, text(value)?)),
        other => Err(format!("LabelPair has {other:?}")),
    }
}

/// Of a gauge or a counter.
fn value(bytes: &[u8]) -> Result<f64, String> {
    match *fields(bytes)? {
        [(1, Field::Float(value))] => Ok(value),
        ref other => Err(format!("Gauge has {other:?}")),
    }
}

fn counter(bytes: &[u8], metric: &mut Metric) -> Result<(), String> {
    for field in fields(bytes)? {
        match field {
            (1, Field::Float(float)) => metric.counter = Some(float),
            (2, Field::Bytes(bytes)) => metric.exemplar = Some(exemplar(bytes)?),
            (3, Field::Bytes(bytes)) => metric.start = Some(timestamp(bytes)?),
            field => return unknown("Counter", &field),
        }
    }
    Ok(())
}

fn summary(bytes: &[u8], metric: &mut Metric) -> Result<(), String> {
    let mut summary = Summary::default();
    for field in fields(bytes)? {
        match field {
            (1, Field::Number(n)) => summary.count = n,
            (2, Field::Float(float)) => summary.sum = float,
            (3, Field::Bytes(bytes)) => summary.quantiles.push(pair(bytes)?),
            (4, Field::Bytes(bytes)) => metric.start = Some(timestamp(bytes)?),
            field => return unknown("Summary", &field),
        }
    }
    metric.summary = Some(summary);
    Ok(())
}

/// A share and its quantile, which Prometheus and OTLP have alike.
pub(crate) fn pair(bytes: &[u8]) -> Result<(f64, f64), String> {
    match *fields(bytes)? {
        [(1, Field::Float(share)), (2, Field::Float(value))] => Ok((share, value)),
        ref other => Err(format!("Quantile has {other:?}")),
    }
}

fn exemplar(bytes: &[u8]) -> Result<Exemplar, String> {
    match *fields(bytes)? {
        [(1, Field::Bytes(first)), (1, Field::Bytes(second)), (2, Field::Float(value)), (3, Field::Bytes(time))] => {
            Ok(Exemplar { labels: [label(first)?, label(second)?].into(), value, time: timestamp(time)? })
        }
        ref other => Err(format!("Exemplar has {other:?}")),
    }
}

fn timestamp(bytes: &[u8]) -> Result<u64, String> {
    match *fields(bytes)? {
        [(1, Field::Number(seconds)), (2, Field::Number(nanos @ 0..1_000_000_000))] => {
            Ok(seconds * 1_000_000_000 + nanos)
        }
        ref other => Err(format!("Timestamp has {other:?}")),
    }
}

fn histogram(bytes: &[u8]) -> Result<(Option<Histogram>, Option<u64>), String> {
    let (mut histogram, mut start) = (Histogram::default(), None);
    for field in fields(bytes)? {
        match field {
            (1, Field::Number(count)) => histogram.count = count,
            (2, Field::Float(sum)) => histogram.sum = sum,
            (3, Field::Bytes(bytes)) => match *fields(bytes)? {
                [(1, Field::Number(count)), (2, Field::Float(bound))] => histogram.buckets.push((bound, count)),
                [(1, Field::Number(count)), (2, Field::Float(bound)), (3, Field::Bytes(bytes))] => {
                    if bound.is_finite() {
                        histogram.buckets.push((bound, count));
                    } else if count != histogram.count {
                        return Err("a last bucket that is not the count".to_owned());
                    }
                    histogram.bucket_exemplars.push((bound, exemplar(bytes)?));
                }
                ref other => return Err(format!("Bucket has {other:?}")),
            },
            (5, Field::Number(schema)) => histogram.schema = Some(signed(schema)),
            (6, Field::Float(threshold)) => histogram.zero_threshold = threshold,
            (7, Field::Number(count)) => histogram.zero_count = count,
            (12, Field::Bytes(bytes)) => match *fields(bytes)? {
                [(1, Field::Number(offset)), (2, Field::Number(length))] => {
                    histogram.spans.push((signed(offset), length));
                }
                ref other => return Err(format!("BucketSpan has {other:?}")),
            },
            (13, Field::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    histogram.deltas.push(signed(varint(&mut packed)?));
                }
            }
            (15, Field::Bytes(bytes)) => start = Some(timestamp(bytes)?),
            (16, Field::Bytes(bytes)) => histogram.exemplars.push(exemplar(bytes)?),
            field => return unknown("Histogram", &field),
        }
    }
    Ok((Some(histogram), start))
}
