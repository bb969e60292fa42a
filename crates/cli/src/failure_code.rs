//! Codes of failures, for programs, and the exit code that each has. Those of the API are here too.

/// Code of a failure that has no more precise one.
pub const FAILED: &str = "failed";
/// Code of a command line that can't be read.
pub const USAGE: &str = "usage";
/// Code of a name that nothing has.
pub const NOT_FOUND: &str = "not_found";

/// Codes of wrong usage: the same command never succeeds, whatever the server does. All other codes
/// are failures.
const WRONG_USAGE: [&str; 14] = [
    USAGE,
    "invalid",
    "bad_name",
    "bad_limits",
    "bad_parameters",
    "bad_request",
    "bad_scope",
    "bad_server",
    "bad_key",
    "bad_idempotency_key",
    "unknown_client",
    "unknown_platform",
    "no_tls_minimum",
    "no_string",
];

/// Whether a failure with this code is wrong usage: exit code 2 instead of 1.
pub fn is_usage(code: &str) -> bool {
    WRONG_USAGE.contains(&code)
}
