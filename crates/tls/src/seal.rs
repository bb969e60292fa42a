//! Authenticated encryption with a random nonce, as the master key and session tickets use it.

use aws_lc_rs::aead::{Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

/// Seals `plain`, bound to `bound`. Returns a random nonce and the ciphertext.
pub fn seal(key: &RandomizedNonceKey, bound: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
    // The capacity includes the tag: a buffer that grows would leave the plain text in freed
    // memory.
    let mut sealed = Vec::with_capacity(plain.len() + key.algorithm().tag_len());
    sealed.extend_from_slice(plain);
    let nonce = key
        .seal_in_place_append_tag(Aad::from(bound), &mut sealed)
        .ok()?;
    Some([nonce.as_ref().as_slice(), &sealed].concat())
}

pub fn unseal(key: &RandomizedNonceKey, bound: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, rest) = sealed.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut rest = Zeroizing::new(rest.to_vec());
    let length = key
        .open_in_place(nonce, Aad::from(bound), &mut rest)
        .ok()?
        .len();
    rest.truncate(length);
    Some(rest)
}
