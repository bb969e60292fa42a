//! Checked reads from a payload: integers, length-encoded integers and strings. None of them reads
//! beyond the end.

/// Payload that ends too early, or contains an invalid length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed packet")]
pub struct Malformed;

/// Reader of a payload.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn bytes(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (now, rest) = self.rest.split_at_checked(n).ok_or(Malformed)?;
        self.rest = rest;
        Ok(now)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.bytes(N)?.try_into().map_err(|_| Malformed)
    }

    pub fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Reads a string that ends with NUL. The NUL is consumed.
    pub fn until_nul(&mut self) -> Result<&'a [u8], Malformed> {
        let at = self.rest.iter().position(|b| *b == 0).ok_or(Malformed)?;
        let text = self.bytes(at)?;
        self.bytes(1)?;
        Ok(text)
    }

    /// As [`Self::until_nul`], or up to the end of the payload: some drivers leave the last NUL
    /// out.
    pub fn until_nul_or_end(&mut self) -> &'a [u8] {
        match self.until_nul() {
            Ok(text) => text,
            Err(Malformed) => std::mem::take(&mut self.rest),
        }
    }

    /// Reads a length-encoded integer. 0xFB (NULL) and 0xFF are not integers.
    pub fn lenenc(&mut self) -> Result<u64, Malformed> {
        match self.u8()? {
            n @ 0..=0xFA => Ok(u64::from(n)),
            0xFC => Ok(u64::from(self.u16()?)),
            0xFD => {
                let [a, b, c] = self.array()?;
                Ok(u64::from(u32::from_le_bytes([a, b, c, 0])))
            }
            0xFE => Ok(u64::from_le_bytes(self.array()?)),
            0xFB | 0xFF => Err(Malformed),
        }
    }

    pub fn lenenc_bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let n = usize::try_from(self.lenenc()?).map_err(|_| Malformed)?;
        self.bytes(n)
    }

    /// Reads a column of a text row; `None` is NULL.
    pub fn column(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        if self.rest.first() == Some(&0xFB) {
            self.bytes(1)?;
            return Ok(None);
        }
        self.lenenc_bytes().map(Some)
    }
}

/// Appends a length-encoded integer.
pub fn put_lenenc(n: u64, out: &mut Vec<u8>) {
    let bytes = n.to_le_bytes();
    let [a, b, c, ..] = bytes;
    match n {
        0..=0xFA => out.push(a),
        0xFB..=0xFFFF => out.extend_from_slice(&[0xFC, a, b]),
        0x1_0000..=0xFF_FFFF => out.extend_from_slice(&[0xFD, a, b, c]),
        _ => {
            out.push(0xFE);
            out.extend_from_slice(&bytes);
        }
    }
}

/// Appends a length-encoded string.
pub fn put_lenenc_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_lenenc(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_encoded_integers_round_trip_at_their_borders() {
        for n in [
            0,
            250,
            251,
            0xFFFF,
            0x1_0000,
            0xFF_FFFF,
            0x100_0000,
            u64::MAX,
        ] {
            let mut out = Vec::new();
            put_lenenc(n, &mut out);
            assert_eq!(Reader::new(&out).lenenc(), Ok(n));
        }
    }

    #[test]
    fn a_length_past_the_end_is_malformed_not_a_panic() {
        assert_eq!(
            Reader::new(&[0xFE, 255, 255, 255, 255, 255, 255, 255, 255]).lenenc_bytes(),
            Err(Malformed)
        );
        assert_eq!(Reader::new(&[5, 1]).lenenc_bytes(), Err(Malformed));
        assert_eq!(Reader::new(&[0xFB]).lenenc(), Err(Malformed));
    }
}
