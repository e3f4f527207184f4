//! Benchmarks of tach beside its peers; see `benches/`.
