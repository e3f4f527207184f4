//! Bucket ladders: the upper bounds (`le`) of the catalogue's histograms, in their exposed unit.
//!
//! The logarithmic ones begin with 0, go on in equal steps of at most the ratio given, and are rounded to three
//! significant digits. They are what is exposed; quantiles do not depend on them.

/// A histogram's bounds and resolution.
#[derive(Debug, PartialEq)]
pub struct Ladder {
    /// What the documentation calls it.
    pub name: &'static str,
    /// Upper-inclusive bounds, ascending, in the exposed unit; `+Inf` comes on top.
    pub bounds: &'static [f64],
    /// The smallest difference that is recorded, in the exposed unit.
    pub tick: f64,
    /// The largest value that is not clamped, in the exposed unit.
    pub max: f64,
}

/// For what is no histogram.
pub(super) const NO: Ladder = Ladder { name: "", bounds: &[], tick: 1.0, max: 1.0 };

/// Times in milliseconds: 1 ms to 8 h, ratio 1.5.
pub(super) const LAT: Ladder = Ladder {
    name: "LAT",
    bounds: &[
        0.0, 1.0, 1.49, 2.22, 3.31, 4.94, 7.37, 11.0, 16.4, 24.4, 36.4, 54.3, 80.9, 121.0, 180.0, 268.0, 400.0, 596.0,
        889.0, 1330.0, 1980.0, 2950.0, 4400.0, 6550.0, 9770.0, 14600.0, 21700.0, 32400.0, 48300.0, 72000.0, 107000.0,
        160000.0, 239000.0, 356000.0, 530000.0, 791000.0, 1.18e6, 1.76e6, 2.62e6, 3.91e6, 5.83e6, 8.69e6, 1.3e7,
        1.93e7, 2.88e7,
    ],
    tick: 1e-6,
    max: 2.88e7,
};

/// Shares in percent: by 5 up to 90, then by 1.
pub(super) const PCT: Ladder = Ladder {
    name: "PCT",
    bounds: &[
        0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 45.0, 50.0, 55.0, 60.0, 65.0, 70.0, 75.0, 80.0, 85.0, 90.0,
        91.0, 92.0, 93.0, 94.0, 95.0, 96.0, 97.0, 98.0, 99.0, 100.0,
    ],
    tick: 1e-3,
    max: 1e3,
};

/// Counts of things: 1 to 100 million, ratio 1.5.
pub(super) const CNT: Ladder = Ladder {
    name: "CNT",
    bounds: &[
        0.0, 1.0, 1.49, 2.23, 3.32, 4.96, 7.41, 11.1, 16.5, 24.6, 36.7, 54.8, 81.9, 122.0, 182.0, 272.0, 406.0, 606.0,
        905.0, 1350.0, 2020.0, 3010.0, 4490.0, 6700.0, 10000.0, 14900.0, 22300.0, 33200.0, 49600.0, 74100.0, 111000.0,
        165000.0, 246000.0, 367000.0, 548000.0, 819000.0, 1.22e6, 1.82e6, 2.72e6, 4.06e6, 6.06e6, 9.05e6, 1.35e7,
        2.02e7, 3.01e7, 4.49e7, 6.7e7, 1e8,
    ],
    tick: 1.0,
    max: 1e9,
};

/// Sizes of batches: 1 to 512, ratio 1.5.
pub(super) const BSZ: Ladder = Ladder {
    name: "BSZ",
    bounds: &[
        0.0, 1.0, 1.48, 2.18, 3.22, 4.76, 7.03, 10.4, 15.3, 22.6, 33.4, 49.4, 72.9, 108.0, 159.0, 235.0, 347.0, 512.0,
    ],
    tick: 1.0,
    max: 1e6,
};

/// Throughputs in tokens per second: 10 to 1 million, ratio 1.5.
pub(super) const TPS: Ladder = Ladder {
    name: "TPS",
    bounds: &[
        0.0, 10.0, 14.9, 22.1, 32.9, 48.9, 72.8, 108.0, 161.0, 240.0, 356.0, 530.0, 788.0, 1170.0, 1740.0, 2590.0,
        3860.0, 5740.0, 8530.0, 12700.0, 18900.0, 28100.0, 41800.0, 62100.0, 92400.0, 137000.0, 204000.0, 304000.0,
        452000.0, 672000.0, 1e6,
    ],
    tick: 1e-3,
    max: 1e9,
};

/// Throughputs in GiB per second: 0.1 to 800, ratio 2.
pub(super) const GIB: Ladder = Ladder {
    name: "GIB",
    bounds: &[0.0, 0.1, 0.2, 0.399, 0.796, 1.59, 3.17, 6.33, 12.6, 25.2, 50.4, 101.0, 201.0, 401.0, 800.0],
    tick: 1e-3,
    max: 1e5,
};

/// Sizes in bytes: 1 KiB to 1 GiB, ratio 2.
pub(super) const BYT: Ladder = Ladder {
    name: "BYT",
    bounds: &[
        0.0, 1020.0, 2050.0, 4100.0, 8190.0, 16400.0, 32800.0, 65500.0, 131000.0, 262000.0, 524000.0, 1.05e6, 2.1e6,
        4.19e6, 8.39e6, 1.68e7, 3.36e7, 6.71e7, 1.34e8, 2.68e8, 5.37e8, 1.07e9,
    ],
    tick: 1.0,
    max: 1e12,
};

/// Sizes in pixels: 1024 to 100 million, ratio 2.
pub(super) const PIX: Ladder = Ladder {
    name: "PIX",
    bounds: &[
        0.0, 1020.0, 2010.0, 3960.0, 7780.0, 15300.0, 30100.0, 59100.0, 116000.0, 228000.0, 449000.0, 882000.0, 1.73e6,
        3.41e6, 6.7e6, 1.32e7, 2.59e7, 5.09e7, 1e8,
    ],
    tick: 1.0,
    max: 1e10,
};

/// Lengths of accepted drafts: 0.25 to 16 by a quarter.
pub(super) const ACC: Ladder = Ladder {
    name: "ACC",
    bounds: &[
        0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0, 3.25, 3.5, 3.75, 4.0, 4.25, 4.5, 4.75, 5.0,
        5.25, 5.5, 5.75, 6.0, 6.25, 6.5, 6.75, 7.0, 7.25, 7.5, 7.75, 8.0, 8.25, 8.5, 8.75, 9.0, 9.25, 9.5, 9.75, 10.0,
        10.25, 10.5, 10.75, 11.0, 11.25, 11.5, 11.75, 12.0, 12.25, 12.5, 12.75, 13.0, 13.25, 13.5, 13.75, 14.0, 14.25,
        14.5, 14.75, 15.0, 15.25, 15.5, 15.75, 16.0,
    ],
    tick: 1e-3,
    max: 1e4,
};
