//! Parts of byte slices at positions that this program has computed.
//!
//! Indexing would panic on a wrong position, and `get(..).unwrap_or_default()` would silently lose
//! bytes of a stream. These helpers report the bug, so that the session can end with an error.

/// Position that lies outside of its bytes. Only a bug of this program can cause it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("internal error: position {at} in {len} bytes")]
pub struct OutOfBounds {
    pub at: usize,
    pub len: usize,
}

/// Returns the first `len` bytes.
pub fn head(bytes: &[u8], len: usize) -> Result<&[u8], OutOfBounds> {
    bytes.get(..len).ok_or(OutOfBounds {
        at: len,
        len: bytes.len(),
    })
}

/// Returns the bytes from this position to the end.
pub fn tail(bytes: &[u8], from: usize) -> Result<&[u8], OutOfBounds> {
    bytes.get(from..).ok_or(OutOfBounds {
        at: from,
        len: bytes.len(),
    })
}

/// Returns the first `len` bytes, to write to.
pub fn head_mut(bytes: &mut [u8], len: usize) -> Result<&mut [u8], OutOfBounds> {
    let error = OutOfBounds {
        at: len,
        len: bytes.len(),
    };
    bytes.get_mut(..len).ok_or(error)
}

/// Returns the bytes from this position to the end, to write to.
pub fn tail_mut(bytes: &mut [u8], from: usize) -> Result<&mut [u8], OutOfBounds> {
    let error = OutOfBounds {
        at: from,
        len: bytes.len(),
    };
    bytes.get_mut(from..).ok_or(error)
}

/// Splits behind the first `len` bytes, or behind the last byte where there are fewer.
pub fn split_at_most(bytes: &[u8], len: usize) -> (&[u8], &[u8]) {
    bytes.split_at_checked(len).unwrap_or((bytes, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_behind_the_end_is_an_error() {
        let bytes = b"abc";
        assert_eq!(head(bytes, 3), Ok(&b"abc"[..]));
        assert_eq!(tail(bytes, 3), Ok(&b""[..]));
        let error = OutOfBounds { at: 4, len: 3 };
        assert_eq!(head(bytes, 4), Err(error));
        assert_eq!(tail(bytes, 4), Err(error));
        assert_eq!(head_mut(&mut bytes.clone(), 4), Err(error));
        assert_eq!(tail_mut(&mut bytes.clone(), 4), Err(error));
    }

    #[test]
    fn a_split_takes_no_more_than_there_is() {
        assert_eq!(split_at_most(b"abc", 2), (&b"ab"[..], &b"c"[..]));
        assert_eq!(split_at_most(b"abc", 9), (&b"abc"[..], &b""[..]));
    }
}
