//! Dates as the API and the pages write them.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A date by RFC 3339, in UTC.
pub fn rfc3339_date(unix: i64) -> String {
    OffsetDateTime::from_unix_timestamp(unix)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .format(&Rfc3339)
        .unwrap_or_default()
}
