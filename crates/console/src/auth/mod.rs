//! Who asks: the signed-in operator of a page, and the checks of what a browser sends. Never the
//! cookie on `/v1`, and never a key here: each way in has its own credential.

mod bucket;
mod cookie;
mod form;
pub mod keyed;
mod origin;
pub mod scoped;
mod signed_in;
mod source;

pub use bucket::{Buckets, Left};
pub use form::Form;
pub use origin::SameOrigin;
pub use scoped::Needs;
pub use signed_in::{NotSignedIn, SIGN_IN, SignedIn, redeem, sign_out};
pub use source::Source;
