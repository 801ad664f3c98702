//! Moments as they are written: npm's own form in documents, HTTP's in headers.

use std::fmt;
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde::{Serialize, Serializer};

/// Writes a moment as `2026-01-31T12:00:00.000Z`.
pub(crate) fn iso8601(moment: SystemTime) -> String {
    Moment(moment).to_string()
}

/// A moment that is written like that.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(pub(crate) SystemTime);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", Timestamp::try_from(self.0).unwrap_or_default())
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Writes a moment as the header `date` has it (RFC 9110 §5.6.7).
pub(crate) fn http_date(moment: SystemTime) -> String {
    let moment = Timestamp::try_from(moment).unwrap_or_default();
    // Only years before 0 and after 9999 have no such form.
    DateTimePrinter::new().timestamp_to_rfc9110_string(&moment).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn known_moments_are_written_as_npm_and_http_write_them() {
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        assert_eq!(iso8601(at(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso8601(at(951_782_400_123)), "2000-02-29T00:00:00.123Z");
        assert_eq!(iso8601(at(1_785_541_199_999)), "2026-07-31T23:39:59.999Z");
        // RFC 9110 §5.6.7's own example.
        assert_eq!(http_date(at(784_111_777_000)), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
