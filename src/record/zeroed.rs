//! Memory that is zero until written and costs nothing until touched.
//!
//! An anonymous mapping with huge pages advised against: `alloc_zeroed` writes every page when the alignment exceeds the
//! allocator's, and a transparent huge page makes 2 MiB resident at the first touch. Under loom, a boxed slice.

#[cfg(tach_loom)]
pub(crate) use boxed::Zeroed;
#[cfg(not(tach_loom))]
pub(crate) use mapped::Zeroed;

/// A type of which zeroed memory holds valid values, and which needs no drop.
///
/// # Safety
///
/// All-zero bytes are a valid value, and the alignment is at most that of a page.
#[allow(unsafe_code)]
pub(crate) unsafe trait ZeroPages {
    /// The value that zeroed memory stands for, for builds that cannot use zeroed memory.
    #[cfg(tach_loom)]
    fn zero() -> Self;
}

#[cfg(not(tach_loom))]
mod mapped {
    use super::ZeroPages;
    use std::io;
    use std::marker::PhantomData;

    /// A run of `T`, all zero at first.
    #[derive(Debug)]
    pub(crate) struct Zeroed<T> {
        map: memmap2::MmapMut,
        items: PhantomData<T>,
    }

    impl<T: ZeroPages> Zeroed<T> {
        /// Maps room for `len` items. Errors when the system refuses the address space.
        pub(crate) fn new(len: usize) -> io::Result<Self> {
            let bytes = len.checked_mul(size_of::<T>()).ok_or(io::ErrorKind::OutOfMemory)?;
            let map = memmap2::MmapMut::map_anon(bytes)?;
            // Advice only: a kernel without huge pages answers with an error that changes nothing here.
            #[cfg(target_os = "linux")]
            let _ = map.advise(memmap2::Advice::NoHugePage);
            Ok(Self { map, items: PhantomData })
        }

        /// The first item. It stays where it is, and mapped, until `self` is dropped.
        pub(crate) fn as_ptr(&self) -> *const T {
            self.map.as_ptr().cast()
        }
    }
}

#[cfg(tach_loom)]
mod boxed {
    use super::ZeroPages;
    use std::io;

    /// A run of `T`, all zero at first.
    #[derive(Debug)]
    pub(crate) struct Zeroed<T>(Box<[T]>);

    impl<T: ZeroPages> Zeroed<T> {
        pub(crate) fn new(len: usize) -> io::Result<Self> {
            Ok(Self((0..len).map(|_| T::zero()).collect()))
        }

        pub(crate) fn as_ptr(&self) -> *const T {
            self.0.as_ptr()
        }
    }
}
