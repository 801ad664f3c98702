//! What goose measured of a journey, in words and rows that every report shares.

use super::words::{number, time};
use crate::load::document::GooseNote;
use crate::report::text::clean;

/// What stands above the rows.
pub(super) const HEAD: [&str; 7] = ["goose's requests", "count", "failed", "p50", "p90", "p99", "longest"];

/// Who walked, in a line.
pub(super) fn line(note: &GooseNote, waited: u64) -> String {
    let requests: u64 = note.requests.iter().map(|request| request.count).sum();
    let (users, walks, requests) = (number(note.users as f64), number(note.walks as f64), number(requests as f64));
    let waited = match waited {
        0 => String::new(),
        1 => "; 1 act waited for its user's next code".to_owned(),
        many => format!("; {} acts waited for their user's next code", number(many as f64)),
    };
    format!(
        "goose: {users} users, {walks} walks to the end, {requests} requests, warm-up and preparation included{waited}"
    )
}

/// Its requests, by what they were for.
pub(super) fn rows(note: &GooseNote) -> impl Iterator<Item = [String; 7]> {
    note.requests.iter().map(|request| {
        let [p50, p90, p99] = request.percentiles_us.map(time);
        let name = format!("{} {}", clean(&request.method), clean(&request.name));
        let (count, failed) = (number(request.count as f64), number(request.failed as f64));
        [name, count, failed, p50, p90, p99, time(request.max_us)]
    })
}
