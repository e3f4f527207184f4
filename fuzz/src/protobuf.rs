//! Protobuf of what the target `text` has rendered as text and held against the model: the same families, labels and
//! values. What only protobuf has, as native buckets, is not looked at here.

use crate::exposition::{Family, Labels, Type, all_series};
use crate::names::Names;
use crate::number::read;
use tach::Snapshot;

/// A field of a message.
enum Field<'a> {
    Number(u64),
    Float(f64),
    Bytes(&'a [u8]),
}

/// Compares the body of `snapshot` with what its text reads as.
///
/// # Panics
///
/// They differ, or the body is none.
pub fn check(snapshot: &Snapshot, families: &[Family], names: Names) {
    let body = tach::protobuf::render_with(snapshot, names.escaping);
    if let Err(rule) = compare(&body, families) {
        panic!("{:?}: {rule}", names.escaping);
    }
}

fn compare(mut body: &[u8], families: &[Family]) -> Result<(), String> {
    for family in families {
        let length = usize::try_from(varint(&mut body)?).map_err(|error| error.to_string())?;
        check_family(take(&mut body, length)?, family).map_err(|rule| format!("{}: {rule}", family.name))?;
    }
    if body.is_empty() { Ok(()) } else { Err("more families than the text has".to_owned()) }
}

fn check_family(message: &[u8], family: &Family) -> Result<(), String> {
    let (mut name, mut help, mut kind, mut metrics) = (String::new(), String::new(), 0, Vec::new());
    for field in fields(message)? {
        match field {
            (1, Field::Bytes(bytes)) => name = text(bytes)?,
            (2, Field::Bytes(bytes)) => help = text(bytes)?,
            (3, Field::Number(number)) => kind = number,
            (4, Field::Bytes(bytes)) => metrics.push(metric(bytes)?),
            (5, Field::Bytes(_)) => {}
            _ => return Err("an unknown field".to_owned()),
        }
    }
    let expected = match family.kind {
        Type::Counter => 0,
        Type::Gauge => 1,
        Type::Histogram => 4,
    };
    if (&*name, &*help, kind) != (&*family.name, family.help.as_deref().unwrap_or(""), expected) {
        return Err(format!("is {name:?} of type {kind}, {help:?}"));
    }
    let shown = if family.kind == Type::Histogram {
        let one = |series: crate::exposition::Series| {
            let value = Value { number: read(&series.sum)?, count: series.count, buckets: series.buckets };
            Ok((series.labels, value))
        };
        all_series(family)?.into_iter().map(one).collect::<Result<Vec<_>, String>>()?
    } else {
        let one = |sample: &crate::exposition::Sample| {
            Ok((sample.labels.clone(), Value { number: read(&sample.value)?, ..Value::default() }))
        };
        family.samples.iter().map(one).collect::<Result<Vec<_>, String>>()?
    };
    let same = |(here, there): (&(Labels, Value), &(Labels, Value))| here.0 == there.0 && here.1.is(&there.1);
    if metrics.len() != shown.len() || !metrics.iter().zip(&shown).all(same) {
        return Err(format!("has {metrics:?} and not {shown:?}"));
    }
    Ok(())
}

/// Of one series.
#[derive(Debug, Default)]
struct Value {
    /// A histogram's sum.
    number: f64,
    count: u64,
    buckets: Vec<(f64, u64)>,
}

impl Value {
    fn is(&self, other: &Self) -> bool {
        let is_number =
            self.number.to_bits() == other.number.to_bits() || self.number.is_nan() && other.number.is_nan();
        is_number && self.count == other.count && self.buckets == other.buckets
    }
}

fn metric(message: &[u8]) -> Result<(Labels, Value), String> {
    let (mut labels, mut value) = (Labels::new(), Value::default());
    for field in fields(message)? {
        match field {
            (1, Field::Bytes(bytes)) => match &*fields(bytes)? {
                [(1, Field::Bytes(name)), (2, Field::Bytes(of))] => {
                    if of.is_empty() || labels.insert(text(name)?, text(of)?).is_some() {
                        return Err("an empty label, or one that is there twice".to_owned());
                    }
                }
                _ => return Err("no label".to_owned()),
            },
            (2 | 3, Field::Bytes(bytes)) => {
                for field in fields(bytes)? {
                    if let (1, Field::Float(number)) = field {
                        value.number = number;
                    }
                }
            }
            (7, Field::Bytes(bytes)) => value = histogram(bytes)?,
            _ => return Err("an unknown field of a series".to_owned()),
        }
    }
    Ok((labels, value))
}

fn histogram(message: &[u8]) -> Result<Value, String> {
    let mut value = Value::default();
    for field in fields(message)? {
        match field {
            (1, Field::Number(count)) => value.count = count,
            (2, Field::Float(sum)) => value.number = sum,
            (3, Field::Bytes(bytes)) => match &*fields(bytes)? {
                [(1, Field::Number(count)), (2, Field::Float(bound))] => value.buckets.push((*bound, *count)),
                _ => return Err("no bucket".to_owned()),
            },
            _ => {}
        }
    }
    Ok(value)
}

fn text(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|error| error.to_string())
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], String> {
    let (now, later) = bytes.split_at_checked(length).ok_or("content that is cut short")?;
    *bytes = later;
    Ok(now)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0_u64;
    for shift in (0..70).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("a number without an end".to_owned())
}

fn fields(mut message: &[u8]) -> Result<Vec<(u64, Field<'_>)>, String> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut message)?),
            1 => {
                let bits = take(&mut message, 8)?.try_into().map_err(|_| "no float")?;
                Field::Float(f64::from_bits(u64::from_le_bytes(bits)))
            }
            2 => {
                let length = usize::try_from(varint(&mut message)?).map_err(|error| error.to_string())?;
                Field::Bytes(take(&mut message, length)?)
            }
            wire => return Err(format!("the wire type {wire}")),
        };
        fields.push((tag >> 3, field));
    }
    Ok(fields)
}
