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

pub use bucket::{RemainingQuota, TokenBuckets};
pub use form::CheckedForm;
pub use origin::SameOrigin;
pub use scoped::RouteScopes;
pub use signed_in::{NotSignedIn, SIGN_IN, SignedIn, redeem_link, sign_out};
pub use source::RequestSource;
