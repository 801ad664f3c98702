//! How long an answer asks to be left alone, and how often a request is sent again whose answer is not there yet.

use std::time::Duration;

use super::predicate::Answer;

/// How often a request that polls is sent again.
pub const POLLS: u32 = 3;
/// What lies between, where the answer does not say.
const POLL_AFTER: Duration = Duration::from_secs(1);
/// The longest that does, whatever the answer says.
const MOST_BETWEEN_POLLS: Duration = Duration::from_secs(5);

/// The whole seconds of a `retry-after` header (RFC 9110 §10.2.3). A date there is passed over, as stock clients do.
pub fn retry_after(headers: &[(String, String)]) -> Option<Duration> {
    let (_, value) = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))?;
    value.trim().parse().ok().map(Duration::from_secs)
}

/// What lies between an answer that is not there yet and the next time it is asked for.
pub fn before_next_poll(answer: &Answer) -> Duration {
    retry_after(&answer.headers).unwrap_or(POLL_AFTER).min(MOST_BETWEEN_POLLS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_are_read_and_bounded_between_polls() {
        let of = |value: &str| vec![("Retry-After".to_owned(), value.to_owned())];
        for (value, wait, between) in [
            ("2", Some(2), 2),
            (" 60 ", Some(60), 5),
            ("0", Some(0), 0),
            ("18446744073709551615", Some(u64::MAX), 5),
            ("soon", None, 1),
            ("-1", None, 1),
            ("Wed, 21 Oct 2026 07:28:00 GMT", None, 1),
        ] {
            let headers = of(value);
            assert_eq!(retry_after(&headers), wait.map(Duration::from_secs), "{value}");
            let answer = Answer { headers, ..Answer::default() };
            assert_eq!(before_next_poll(&answer), Duration::from_secs(between), "{value}");
        }
        assert_eq!(retry_after(&[]), None);
    }
}
