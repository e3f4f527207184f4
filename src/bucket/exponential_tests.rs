//! Against whole numbers of any size: a value of `t` ticks is in bucket `i` where `(t · tick)^N ≤ 2^i` and
//! `(t · tick)^N > 2^(i-1)`, both sides multiplied by what makes them whole.

use super::*;
use crate::bucket::{MAX_TICKS, Resolution};
use num_bigint::BigUint;
use proptest::strategy::Strategy;

/// Of a tick, written out: the decimal's digits and power of ten, parsed as text.
fn decimal(tick: f64) -> (BigUint, i32) {
    let text = format!("{tick:e}");
    let (digits, exponent) = text.split_once('e').unwrap();
    let fraction = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len() as i32);
    (digits.replace('.', "").parse().unwrap(), exponent.parse::<i32>().unwrap() - fraction)
}

/// `ceil(N · log2(t · tick))`, for `t` above zero.
fn bucket(ticks: u64, tick: f64, schema: u8) -> i32 {
    let (digits, power) = decimal(tick);
    let n = 1_u32 << schema;
    let mut over = (digits * ticks).pow(n);
    let mut under = BigUint::from(1_u32);
    let tens = BigUint::from(10_u32).pow(power.unsigned_abs() * n);
    if power < 0 {
        under = tens
    } else {
        over *= tens
    }
    // The least i with over ≤ under · 2^i, to start with from the numbers of bits.
    let shifted = |i: i64| {
        if i >= 0 { over <= &under << i.unsigned_abs() } else { &over << i.unsigned_abs() <= under }
    };
    let mut i = over.bits().cast_signed() - under.bits().cast_signed() - 1;
    while !shifted(i) {
        i += 1;
    }
    assert!(!shifted(i - 1));
    i32::try_from(i).unwrap()
}

const TICKS: [f64; 12] = [1e-9, 1e-6, 1e-3, 1.0, 2.5, 0.3, 0.5, 1024.0, 1e-40, 1e30, 0.1, 7.25e-5];

#[test]
fn every_end_is_that_of_its_bucket_to_the_tick() {
    for tick in TICKS {
        for schema in 0..=5 {
            let cells = Exponential::new(schema, tick, MAX_TICKS);
            // Every end in some octaves: where ticks are fewer than cells, where they are as many, beyond floats.
            for octave in [0, 1, 2, 3, 5, 6, 7, 10, 20, 30, 33, 52, 53, 55, 56, 60, 61] {
                for cell in (1 + (octave << schema)..).take(1 << schema) {
                    let highest = cells.highest(cell);
                    let is_empty = highest == cells.highest(cell - 1);
                    assert_eq!(cells.lowest(cell), cells.highest(cell - 1) + 1);
                    if highest > MAX_TICKS {
                        continue;
                    }
                    if !is_empty {
                        assert_eq!(cells.index(highest), cell);
                        assert_eq!(cells.bucket(cell), bucket(highest, tick, schema), "{tick} {schema} {highest}");
                    }
                    // The next tick lies beyond the end, whatever cells lie between.
                    let next = cells.index(highest + 1);
                    assert!(next > cell, "{tick} {schema} {highest}");
                    if !(7..=51).contains(&octave) || cell % 5 == 0 {
                        assert_eq!(cells.bucket(next), bucket(highest + 1, tick, schema));
                        assert_eq!(cells.lowest(next), highest + 1);
                    }
                }
            }
            assert_eq!((cells.index(0), cells.lowest(0), cells.highest(0)), (0, 0, 0));
        }
    }
}

#[test]
fn the_finest_schemas_are_as_exact() {
    for (tick, schema) in TICKS.into_iter().flat_map(|tick| [6, 7, 8].map(|schema| (tick, schema))) {
        let cells = Exponential::new(schema, tick, MAX_TICKS);
        // Some of every octave, at places that differ from one to the next.
        for cell in (1..cells.index(MAX_TICKS)).step_by(if schema == 8 { 97 } else { 29 }) {
            let highest = cells.highest(cell);
            if highest > cells.highest(cell - 1) {
                assert_eq!(cells.index(highest), cell);
                assert_eq!(cells.bucket(cell), bucket(highest, tick, schema), "{tick} {schema} {highest}");
            }
            assert_eq!(cells.bucket(cells.index(highest + 1)), bucket(highest + 1, tick, schema));
        }
    }
}

#[test]
fn powers_of_two_end_their_buckets() {
    // 1 s, 2 s, 0.5 s and 2^-9 s are whole numbers of nanoseconds.
    for schema in 0..=SCHEMA_MAX {
        let cells = Exponential::new(schema, 1e-9, MAX_TICKS);
        for (nanos, octave) in [(1_000_000_000, 0), (2_000_000_000, 1), (500_000_000, -1), (1_953_125, -9)] {
            assert_eq!(cells.bucket(cells.index(nanos)), octave << schema);
            assert_eq!(cells.bucket(cells.index(nanos + 1)), (octave << schema) + 1);
            assert_eq!(cells.highest(cells.index(nanos)), nanos);
        }
    }
}

#[test]
fn a_low_octave_has_empty_cells_and_no_other_has() {
    let cells = Exponential::new(4, 1e-9, MAX_TICKS);
    let empty = |cell: &usize| cells.highest(*cell) == cells.highest(cell - 1);
    let all: Vec<usize> = (1..cells.index(1 << 40)).filter(empty).collect();
    // Four octaves with fewer ticks than cells, and a fifth with as many, where ends are less than a tick apart.
    assert!((16 * 5 - 31..16 * 5 - 15).contains(&all.len()), "{}", all.len());
    assert!(*all.last().unwrap() < 1 + 16 * 5);
}

#[test]
fn cells_are_the_same_where_their_ends_are() {
    let layout = |schema, tick| super::super::Layout::new(Resolution::Schema(schema), tick, 1000);
    assert!(layout(4, 1e-9).is_like(&layout(4, 1e-9)));
    assert!(!layout(4, 1e-9).is_like(&layout(4, 1e-6)) && !layout(4, 1.0).is_like(&layout(3, 1.0)));
    // Half as large, a tick is turned by a whole octave.
    assert!(layout(4, 1.0).is_like(&layout(4, 0.5)));
    let digits = super::super::Layout::new(Resolution::Digits(2), 1.0, 1000);
    assert!(!digits.is_like(&layout(4, 1.0)) && digits.is_like(&digits));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 400 }))]

    #[test]
    fn any_value_is_in_its_bucket(
        value in 1..=MAX_TICKS,
        cut in 0..62_u32,
        schema in 0..=SCHEMA_MAX,
        tick in proptest::prop_oneof![
            proptest::sample::select(TICKS.to_vec()),
            (1..u64::MAX, -30..12_i32).prop_map(|(digits, power)| digits as f64 * 10_f64.powi(power)),
        ],
    ) {
        let cells = Exponential::new(schema, tick, MAX_TICKS);
        let value = (value >> cut).max(1);
        let cell = cells.index(value);
        proptest::prop_assert_eq!(cells.bucket(cell), bucket(value, tick, schema));
        proptest::prop_assert!(cells.lowest(cell) <= value && value <= cells.highest(cell));
        proptest::prop_assert_eq!(cells.search(value), cell);
    }
}
