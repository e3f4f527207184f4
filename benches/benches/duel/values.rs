//! What every contender records: the same latencies, bucket bounds and label sets.

use std::sync::LazyLock;

/// Length of a value table. A power of two, so that cycling through it costs one mask.
pub(crate) const TABLE: usize = 4096;

/// Upper bucket bounds in seconds, fine around the inter-token latencies that [`Values::latencies`] draws.
pub(crate) const LADDER: [f64; 20] = [
    0.001, 0.0015, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.0125, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075,
    0.1, 0.25, 0.5,
];

/// The bounds of a rendered histogram: with the implicit `+Inf` they make 20 buckets.
pub(crate) const RENDERED: usize = LADDER.len() - 1;

/// [`LADDER`] for peers whose bounds are whole nanoseconds.
pub(crate) fn ladder_nanos() -> [u64; 20] {
    LADDER.map(|seconds| (seconds * 1e9).round() as u64)
}

/// One table of values in the two forms that contenders take, so that nobody pays for a conversion inside the loop.
pub(crate) struct Values {
    pub(crate) nanos: Box<[u64; TABLE]>,
    pub(crate) seconds: Box<[f64; TABLE]>,
}

impl Values {
    /// Log-normal latencies around 7 ms, kept within 1 to 50 ms. The seed is fixed: every run sees the same values.
    pub(crate) fn latencies() -> Values {
        let mut rng = fastrand::Rng::with_seed(7);
        Values::from_nanos(|| {
            // The sum of twelve uniform numbers is close enough to a normal one with deviation 1.
            let normal = (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0;
            ((7e6 * (0.8 * normal).exp()) as u64).clamp(1_000_000, 50_000_000)
        })
    }

    /// The same value throughout, read from a table all the same.
    pub(crate) fn constant() -> Values {
        Values::from_nanos(|| 12_345_678)
    }

    fn from_nanos(mut next: impl FnMut() -> u64) -> Values {
        let nanos: Box<[u64; TABLE]> = Box::new(std::array::from_fn(|_| next()));
        let seconds = Box::new(nanos.map(|value| value as f64 / 1e9));
        Values { nanos, seconds }
    }
}

/// 256 durations in nanoseconds, evenly spread over 12 octaves: what one thread sends to a typical histogram.
pub(crate) fn twelve_octaves() -> Vec<u64> {
    (0..256).map(|i| (4096.0 * (f64::from(i) * 12.0 / 256.0).exp2()) as u64).collect()
}

/// Two strings as a server would have them at hand: a status code and a path.
pub(crate) struct LabelSet {
    pub(crate) code: String,
    pub(crate) path: String,
}

const CODES: [&str; 8] = ["200", "201", "204", "400", "404", "429", "500", "503"];
const PATHS: [&str; 8] = [
    "/health",
    "/metrics",
    "/v1/models",
    "/v1/embeddings",
    "/v1/completions",
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/audio/transcriptions",
];

/// Number of label sets: few enough for every peer's cache, more than one branch predictor entry.
pub(crate) const SETS: usize = CODES.len() * PATHS.len();

/// Every code with every path, shuffled. The strings are owned: to the compiler they are run-time values.
pub(crate) fn label_sets() -> &'static [LabelSet; SETS] {
    static ALL: LazyLock<Box<[LabelSet; SETS]>> = LazyLock::new(|| {
        let mut order: Vec<usize> = (0..SETS).collect();
        fastrand::Rng::with_seed(11).shuffle(&mut order);
        Box::new(std::array::from_fn(|i| LabelSet {
            code: CODES[order[i] / PATHS.len()].to_owned(),
            path: PATHS[order[i] % PATHS.len()].to_owned(),
        }))
    });
    &ALL
}

/// The values that occur, for peers that want to know them up front.
pub(crate) fn codes_and_paths() -> ([&'static str; 8], [&'static str; 8]) {
    (CODES, PATHS)
}
