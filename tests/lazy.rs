//! Counters in statics.

use tach::{ErrorKind, LazyCounter, Level, global};

static TOKENS: LazyCounter = LazyCounter::new(|registry| registry.counter("tokens").build());
static TOKENS_TOO: LazyCounter = LazyCounter::new(|registry| registry.counter("tokens").build());
static CONFLICT: LazyCounter = LazyCounter::new(|registry| registry.counter("tokens").help("another").build());

#[test]
fn a_static_counter_is_made_at_its_first_use_and_follows_the_level() {
    let total = || global().snapshot().counter("tokens", &[]);
    assert_eq!(total(), None);
    TOKENS.inc();
    TOKENS_TOO.add(2);
    std::thread::spawn(|| TOKENS.inc()).join().unwrap();
    TOKENS.get().unwrap().inc();
    assert_eq!(total(), Some(5));

    CONFLICT.inc();
    assert_eq!(CONFLICT.get().unwrap_err().kind(), ErrorKind::Conflict);

    global().set_level(Level::None);
    TOKENS.inc();
    TOKENS_TOO.inc();
    global().set_level(Level::Basic);
    TOKENS.inc();
    assert_eq!(total(), Some(6));
}
