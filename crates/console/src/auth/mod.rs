//! Authentication of requests. Pages accept only the cookie of a signed-in operator, and `/v1` over
//! HTTPS only API keys.

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
