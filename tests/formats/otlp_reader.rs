//! A reader of OTLP's requests that knows the fields of metrics, and refuses what else there is.

use crate::model::Labels;
use crate::pb_reader::{Exemplar, Field, fields, pair, signed, text, unknown, varint};

#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) resource: Labels,
    pub(crate) scope: (String, String),
    pub(crate) metrics: Vec<Metric>,
}

#[derive(Debug, Default)]
pub(crate) struct Metric {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) unit: String,
    pub(crate) data: Option<Data>,
}

#[derive(Debug, Default)]
pub(crate) struct Data {
    /// `gauge`, `sum`, `histogram`, `exponential` or `summary`.
    pub(crate) kind: &'static str,
    pub(crate) temporality: u64,
    pub(crate) monotonic: bool,
    pub(crate) points: Vec<Point>,
}

/// A point of any sort.
#[derive(Debug, Default)]
pub(crate) struct Point {
    pub(crate) attributes: Labels,
    pub(crate) start: u64,
    pub(crate) time: u64,
    pub(crate) int: Option<i64>,
    pub(crate) double: Option<f64>,
    pub(crate) count: u64,
    pub(crate) sum: Option<f64>,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) bounds: Vec<f64>,
    pub(crate) counts: Vec<u64>,
    pub(crate) scale: Option<i64>,
    pub(crate) zeros: u64,
    pub(crate) zero_threshold: f64,
    pub(crate) offset: i64,
    pub(crate) exemplars: Vec<Exemplar>,
    pub(crate) quantiles: Vec<(f64, f64)>,
}

impl Metric {
    pub(crate) fn data(&self) -> &Data {
        self.data.as_ref().unwrap()
    }

    /// The one point there is.
    pub(crate) fn point(&self) -> &Point {
        let [point] = &*self.data().points else { panic!("{self:?}") };
        point
    }
}

impl Request {
    pub(crate) fn metric(&self, name: &str) -> &Metric {
        let found: Vec<_> = self.metrics.iter().filter(|metric| metric.name == name).collect();
        let [metric] = *found else { panic!("{name}: {found:?}") };
        metric
    }
}

pub(crate) fn read(bytes: &[u8]) -> Result<Request, String> {
    let mut request = Request::default();
    let [(1, Field::Bytes(resource_metrics))] = *fields(bytes)? else { return Err("not one ResourceMetrics".into()) };
    for field in fields(resource_metrics)? {
        match field {
            (1, Field::Bytes(bytes)) => {
                for field in fields(bytes)? {
                    attribute(&mut request.resource, 1, &field)?;
                }
            }
            (2, Field::Bytes(bytes)) => scope_metrics(bytes, &mut request)?,
            field => return unknown("ResourceMetrics", &field),
        }
    }
    Ok(request)
}

fn scope_metrics(bytes: &[u8], request: &mut Request) -> Result<(), String> {
    for field in fields(bytes)? {
        match field {
            (1, Field::Bytes(bytes)) => match *fields(bytes)? {
                [(1, Field::Bytes(name)), (2, Field::Bytes(version))] => request.scope = (text(name)?, text(version)?),
                ref other => return Err(format!("InstrumentationScope has {other:?}")),
            },
            (2, Field::Bytes(bytes)) => request.metrics.push(metric(bytes)?),
            field => return unknown("ScopeMetrics", &field),
        }
    }
    Ok(())
}

fn attribute(attributes: &mut Labels, number: u64, field: &(u64, Field<'_>)) -> Result<(), String> {
    let (found, Field::Bytes(bytes)) = field else { return unknown("a message with attributes", field) };
    let pair = fields(bytes)?;
    let [(1, Field::Bytes(key)), (2, Field::Bytes(value))] = *pair else {
        return Err(format!("KeyValue has {pair:?}"));
    };
    let [(1, Field::Bytes(value))] = *fields(value)? else { return Err("AnyValue is no string".to_owned()) };
    if *found != number || attributes.insert(text(key)?, text(value)?).is_some() {
        return Err(format!("an attribute twice, or as field {found}"));
    }
    Ok(())
}

fn metric(bytes: &[u8]) -> Result<Metric, String> {
    let mut metric = Metric::default();
    for field in fields(bytes)? {
        let (kind, bytes) = match field {
            (1, Field::Bytes(bytes)) => {
                metric.name = text(bytes)?;
                continue;
            }
            (2, Field::Bytes(bytes)) => {
                metric.description = text(bytes)?;
                continue;
            }
            (3, Field::Bytes(bytes)) => {
                metric.unit = text(bytes)?;
                continue;
            }
            (5, Field::Bytes(bytes)) => ("gauge", bytes),
            (7, Field::Bytes(bytes)) => ("sum", bytes),
            (9, Field::Bytes(bytes)) => ("histogram", bytes),
            (10, Field::Bytes(bytes)) => ("exponential", bytes),
            (11, Field::Bytes(bytes)) => ("summary", bytes),
            field => return unknown("Metric", &field),
        };
        if metric.data.replace(data(kind, bytes)?).is_some() {
            return Err("two sorts of data".to_owned());
        }
    }
    Ok(metric)
}

fn data(kind: &'static str, bytes: &[u8]) -> Result<Data, String> {
    let mut data = Data { kind, ..Data::default() };
    for field in fields(bytes)? {
        match field {
            (1, Field::Bytes(bytes)) => data.points.push(match kind {
                "histogram" => explicit(bytes)?,
                "exponential" => exponential(bytes)?,
                "summary" => summary(bytes)?,
                _ => number(bytes)?,
            }),
            (2, Field::Number(temporality)) if !["gauge", "summary"].contains(&kind) => data.temporality = temporality,
            (3, Field::Number(1)) if kind == "sum" => data.monotonic = true,
            field => return unknown(kind, &field),
        }
    }
    Ok(data)
}

/// A `fixed64`, which the reader of fields takes for a float of the same bits.
fn fixed(float: f64) -> u64 {
    float.to_bits()
}

fn exemplar(bytes: &[u8]) -> Result<Exemplar, String> {
    let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match *fields(bytes)? {
        [(2, Field::Float(time)), (3, Field::Float(value)), (4, Field::Bytes(span)), (5, Field::Bytes(trace))]
            if span.len() == 8 && trace.len() == 16 =>
        {
            let labels = [("trace_id", hex(trace)), ("span_id", hex(span))];
            let labels = labels.map(|(name, id)| (name.to_owned(), id)).into();
            Ok(Exemplar { labels, value, time: fixed(time) })
        }
        ref other => Err(format!("Exemplar has {other:?}")),
    }
}

/// Takes what histograms and summaries have alike.
fn totals(point: &mut Point, field: &(u64, Field<'_>)) -> bool {
    match *field {
        (2, Field::Float(start)) => point.start = fixed(start),
        (3, Field::Float(time)) => point.time = fixed(time),
        (4, Field::Float(count)) => point.count = fixed(count),
        (5, Field::Float(sum)) => point.sum = Some(sum),
        _ => return false,
    }
    true
}

fn number(bytes: &[u8]) -> Result<Point, String> {
    let mut point = Point::default();
    for field in fields(bytes)? {
        match field {
            (2, Field::Float(start)) => point.start = fixed(start),
            (3, Field::Float(time)) => point.time = fixed(time),
            (4, Field::Float(value)) => point.double = Some(value),
            (5, Field::Bytes(bytes)) => point.exemplars.push(exemplar(bytes)?),
            (6, Field::Float(value)) => point.int = Some(fixed(value).cast_signed()),
            field => attribute(&mut point.attributes, 7, &field)?,
        }
    }
    Ok(point)
}

fn packed_fixed(bytes: &[u8]) -> Result<Vec<u64>, String> {
    let chunks = bytes.chunks(8).map(|chunk| chunk.try_into().map(u64::from_le_bytes));
    chunks.collect::<Result<_, _>>().map_err(|_| "cut short".to_owned())
}

fn explicit(bytes: &[u8]) -> Result<Point, String> {
    let mut point = Point::default();
    for field in fields(bytes)? {
        match field {
            field if totals(&mut point, &field) => {}
            (6, Field::Bytes(bytes)) => point.counts = packed_fixed(bytes)?,
            (7, Field::Bytes(bytes)) => point.bounds = packed_fixed(bytes)?.into_iter().map(f64::from_bits).collect(),
            (8, Field::Bytes(bytes)) => point.exemplars.push(exemplar(bytes)?),
            (11, Field::Float(min)) => point.min = Some(min),
            (12, Field::Float(max)) => point.max = Some(max),
            field => attribute(&mut point.attributes, 9, &field)?,
        }
    }
    Ok(point)
}

fn summary(bytes: &[u8]) -> Result<Point, String> {
    let mut point = Point::default();
    for field in fields(bytes)? {
        match field {
            field if totals(&mut point, &field) => {}
            (6, Field::Bytes(bytes)) => point.quantiles.push(pair(bytes)?),
            field => attribute(&mut point.attributes, 7, &field)?,
        }
    }
    Ok(point)
}

fn exponential(bytes: &[u8]) -> Result<Point, String> {
    let mut point = Point::default();
    for field in fields(bytes)? {
        match field {
            field if totals(&mut point, &field) => {}
            (6, Field::Number(scale)) => point.scale = Some(signed(scale)),
            (7, Field::Float(zeros)) => point.zeros = fixed(zeros),
            (8, Field::Bytes(bytes)) => match *fields(bytes)? {
                [(1, Field::Number(offset)), (2, Field::Bytes(mut packed))] => {
                    point.offset = signed(offset);
                    while !packed.is_empty() {
                        point.counts.push(varint(&mut packed)?);
                    }
                }
                ref other => return Err(format!("Buckets has {other:?}")),
            },
            (11, Field::Bytes(bytes)) => point.exemplars.push(exemplar(bytes)?),
            (12, Field::Float(min)) => point.min = Some(min),
            (13, Field::Float(max)) => point.max = Some(max),
            (14, Field::Float(threshold)) => point.zero_threshold = threshold,
            field => attribute(&mut point.attributes, 1, &field)?,
        }
    }
    Ok(point)
}
