//! The layout of a segment, version 1: which word means what. `docs/SEGMENT.md` tells it for other languages.
//!
//! Everything is a 64-bit word in the machine's byte order, at a multiple of eight bytes.

/// The first word, written last: there is a segment once it is there.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"tach seg");
/// A reader refuses another one.
pub(crate) const MAJOR: u32 = 1;
/// A reader skips what a later one added.
pub(crate) const MINOR: u32 = 1;
/// The header takes a page, so that the directory begins on one.
pub(crate) const HEADER_BYTES: u64 = 4096;
/// The header in words.
pub(crate) const HEADER_WORDS: usize = HEADER_BYTES as usize / 8;
/// Areas of the file begin and end at multiples of this.
pub(crate) const PAGE_BYTES: u64 = 4096;
/// Bytes of a process's name in the header.
pub(crate) const NAME_BYTES: usize = 128;

/// Words of the header, by their index.
pub(crate) mod header {
    pub(crate) const MAGIC: usize = 0;
    /// Major version in the upper half, minor in the lower.
    pub(crate) const VERSION: usize = 1;
    /// Bytes of the header, where the first block of the directory begins.
    pub(crate) const BYTES: usize = 2;
    /// Two words of chance.
    pub(crate) const ID: usize = 3;
    /// In the writer's namespace.
    pub(crate) const PID: usize = 5;
    /// When the process started, in the kernel's ticks since boot; tells two uses of a pid apart. Zero: not known.
    pub(crate) const START: usize = 6;
    /// Two words: the kernel's boot id.
    pub(crate) const BOOT: usize = 7;
    /// The inode of the writer's pid namespace.
    pub(crate) const PID_NAMESPACE: usize = 9;
    /// When the segment was made, in Unix nanoseconds.
    pub(crate) const CREATED: usize = 10;
    /// How often the writer beats, in nanoseconds.
    pub(crate) const INTERVAL: usize = 11;
    /// Bytes of the name, and the name.
    pub(crate) const NAME_LEN: usize = 12;
    pub(crate) const NAME: usize = 13;
    /// [`super::check`] of the words from `VERSION` up to this one.
    pub(crate) const CHECK: usize = 29;

    // What changes, on lines of its own.

    /// One of [`super::state`].
    pub(crate) const STATE: usize = 64;
    /// The last beat, in Unix nanoseconds.
    pub(crate) const BEAT: usize = 65;
    /// How many there were.
    pub(crate) const BEATS: usize = 66;
    /// How many records are published.
    pub(crate) const RECORDS: usize = 67;
    /// Bytes of the file that are reserved.
    pub(crate) const RESERVED: usize = 68;
    /// How often something found no room in the file, and went to the writer's own memory.
    pub(crate) const FALLBACKS: usize = 69;
}

/// What `header::STATE` says.
pub(crate) mod state {
    pub(crate) const OPEN: u64 = 1;
    /// The writer ended in order, or let go of the segment.
    pub(crate) const CLOSED: u64 = 2;
}

/// A block of the directory begins with these words; records follow.
pub(crate) mod block {
    /// Where the next block begins, in bytes; zero while there is none.
    pub(crate) const NEXT: usize = 0;
    /// Bytes of this block.
    pub(crate) const BYTES: usize = 1;
    /// Words before the first record.
    pub(crate) const WORDS: usize = 2;
}

/// A header that says which segment it is, but for the words that are nobody's yet: to be [`seal`]ed. Of a longer name
/// as much as there is room for.
pub(crate) fn identity(id: [u64; 2], name: &str, created: u64) -> [u64; HEADER_WORDS] {
    let mut words = [0; HEADER_WORDS];
    words[header::VERSION] = u64::from(MAJOR) << 32 | u64::from(MINOR);
    words[header::BYTES] = HEADER_BYTES;
    words[header::ID..][..2].copy_from_slice(&id);
    words[header::PID] = u64::from(std::process::id());
    words[header::CREATED] = created;
    let len = (0..=NAME_BYTES.min(name.len())).rev().find(|len| name.is_char_boundary(*len)).unwrap_or(0);
    words[header::NAME_LEN] = len as u64;
    for (word, chunk) in words[header::NAME..header::CHECK].iter_mut().zip(name.as_bytes()[..len].chunks(8)) {
        let mut bytes = [0; 8];
        bytes[..chunk.len()].copy_from_slice(chunk);
        *word = u64::from_ne_bytes(bytes);
    }
    words
}

/// Puts the check word behind what never changes.
pub(crate) fn seal(words: &mut [u64; HEADER_WORDS]) {
    words[header::CHECK] = check(&words[header::VERSION..header::CHECK]);
}

/// A check of words against chance, not against malice: FNV-1a over their bytes, the lowest first.
pub(crate) fn check(words: &[u64]) -> u64 {
    let bytes = words.iter().flat_map(|word| word.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
