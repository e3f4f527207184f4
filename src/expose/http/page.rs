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
    text: String,
    /// Made when first asked for, then kept; `None` inside when it does not pay.
    gzip: OnceCell<Option<Vec<u8>>>,
    /// The buffer that `gzip` is made in.
    spare: Cell<Vec<u8>>,
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}

impl Page {
    /// Has `render` write a page, into the buffers of an `old` one if nobody sends it any more.
    pub(super) fn render(old: Option<Rc<Self>>, render: impl FnOnce(&mut String)) -> Self {
        let old_len = old.as_ref().map_or(0, |old| old.text.len());
        let mut page = match old.and_then(Rc::into_inner) {
            Some(old) => {
                let spare = old.gzip.into_inner().flatten().unwrap_or_else(|| old.spare.take());
                Self { text: old.text, gzip: OnceCell::new(), spare: Cell::new(spare) }
            }
            // The next page is about as long, so the text need not grow by doubling.
            None => Self { text: String::with_capacity(old_len + old_len / 8), ..Self::default() },
        };
        page.text.clear();
        render(&mut page.text);
        page
    }

    /// The text.
    pub(super) fn text(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The text compressed, if it is long enough for that to pay.
    pub(super) fn gzip(&self) -> Option<&[u8]> {
        self.gzip.get_or_init(|| self.compress()).as_deref()
    }

    fn compress(&self) -> Option<Vec<u8>> {
        if self.text.len() < GZIP_MIN {
            return None;
        }
        let mut buffer = self.spare.take();
        buffer.clear();
        // Level 1: repeated names and labels shrink nearly as far as at higher ones, several times as fast.
        let mut encoder = GzEncoder::new(buffer, Compression::fast());
        encoder.write_all(self.text.as_bytes()).ok()?;
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
    fn compressed_pages_inflate_to_the_text_and_buffers_come_back() {
        let page = Page::render(None, |text| text.push_str(&"tokens_total 5\n".repeat(1000)));
        let gzip = page.gzip().unwrap();
        assert!(gzip.len() < page.text().len() / 10);
        assert_eq!(inflate(gzip), page.text());

        let at = (page.text().as_ptr(), gzip.as_ptr());
        let page = Page::render(Some(Rc::new(page)), |text| text.push_str(&"a 1\n".repeat(500)));
        assert_eq!(inflate(page.gzip().unwrap()), "a 1\n".repeat(500).as_bytes());
        assert_eq!((page.text().as_ptr(), page.gzip().unwrap().as_ptr()), at);

        // While somebody still sends the old page its buffers are left alone.
        let old = Rc::new(page);
        let page = Page::render(Some(Rc::clone(&old)), |text| text.push_str("b 2\n"));
        assert_eq!(old.text().len(), 2000);
        assert_eq!(page.text(), b"b 2\n");
        assert!(page.gzip().is_none());
    }
}
