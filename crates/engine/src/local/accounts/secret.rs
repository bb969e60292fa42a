//! The password of the gateway's account in one engine for one run. It is neither written to a file
//! nor printed.

use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

pub struct AdminSecret {
    password: Zeroizing<String>,
}

impl AdminSecret {
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        getrandom::fill(bytes.as_mut())?;
        // At its full length: a string that grows leaves copies in memory that are not erased.
        let mut password = Zeroizing::new(String::with_capacity(64));
        for byte in bytes.iter() {
            for nibble in [byte >> 4, byte & 15] {
                password.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
        }
        Ok(Self { password })
    }

    pub fn password(&self) -> &str {
        &self.password
    }

    pub fn stage2(&self) -> [u8; 20] {
        let stage1 = Zeroizing::new(<[u8; 20]>::from(Sha1::digest(self.password.as_bytes())));
        Sha1::digest(stage1.as_slice()).into()
    }
}
