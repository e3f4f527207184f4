//! A rendered snapshot, plain and compressed, and its buffers' way back into the next one.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::cell::{Cell, OnceCell};
use std::fmt;
use std::io::Write;
use std::rc::Rc;

/// Below this many bytes compressing costs more than it saves: they fit into one packet.
const GZIP_MIN: usize = 1024;

/// What a scrape is answered with. All scrapes that one snapshot answers share it.
#[derive(Default)]
pub(super) struct Page {
    bytes: Vec<u8>,
    /// Made when first asked for, then kept; `None` inside when it does not pay.
    gzip: OnceCell<Option<Vec<u8>>>,
    /// The buffer that `gzip` is made in.
    spare: Cell<Vec<u8>>,
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl Page {
    /// Has `render` write a page into an empty buffer: that of an `old` page if nobody sends it any more.
    pub(super) fn render(old: Option<Rc<Self>>, render: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Self {
        let old_len = old.as_ref().map_or(0, |old| old.bytes.len());
        let page = match old.and_then(Rc::into_inner) {
            Some(old) => {
                let spare = old.gzip.into_inner().flatten().unwrap_or_else(|| old.spare.take());
                Self { bytes: old.bytes, gzip: OnceCell::new(), spare: Cell::new(spare) }
            }
            // The next page is about as long, so the buffer need not grow by doubling.
            None => Self { bytes: Vec::with_capacity(old_len + old_len / 8), ..Self::default() },
        };
        let Self { mut bytes, gzip, spare } = page;
        bytes.clear();
        Self { bytes: render(bytes), gzip, spare }
    }

    /// As it was rendered.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same compressed, if it is long enough for that to pay.
    pub(super) fn gzip(&self) -> Option<&[u8]> {
        self.gzip.get_or_init(|| self.compress()).as_deref()
    }

    /// What [`gzip`](Self::gzip) gives, to keep.
    pub(super) fn into_gzip(self) -> Option<Vec<u8>> {
        self.gzip();
        self.gzip.into_inner().flatten()
    }

    /// What [`bytes`](Self::bytes) gives, to keep.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn compress(&self) -> Option<Vec<u8>> {
        if self.bytes.len() < GZIP_MIN {
            return None;
        }
        let mut buffer = self.spare.take();
        buffer.clear();
        // Level 1: repeated names and labels shrink nearly as far as at higher ones, several times as fast.
        let mut encoder = GzEncoder::new(buffer, Compression::fast());
        encoder.write_all(&self.bytes).ok()?;
        encoder.finish().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Page;
    use std::io::Read;
    use std::rc::Rc;

    fn inflate(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn compressed_pages_inflate_to_the_plain_ones_and_buffers_come_back() {
        let page = Page::render(None, |_| b"tokens_total 5\n".repeat(1000));
        let gzip = page.gzip().unwrap();
        assert!(gzip.len() < page.bytes().len() / 10);
        assert_eq!(inflate(gzip), page.bytes());

        let at = (page.bytes().as_ptr(), gzip.as_ptr());
        let page = Page::render(Some(Rc::new(page)), |mut buffer| {
            buffer.extend(b"a 1\n".repeat(500));
            buffer
        });
        assert_eq!(inflate(page.gzip().unwrap()), "a 1\n".repeat(500).as_bytes());
        assert_eq!((page.bytes().as_ptr(), page.gzip().unwrap().as_ptr()), at);

        // While somebody still sends the old page its buffers are left alone.
        let old = Rc::new(page);
        let page = Page::render(Some(Rc::clone(&old)), |_| b"b 2\n".to_vec());
        assert_eq!(old.bytes().len(), 2000);
        assert_eq!(page.bytes(), b"b 2\n");
        assert!(page.gzip().is_none());
    }
}
