//! Tests of swapping and of the local CA by a settable clock.
