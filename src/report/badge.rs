//! A badge, in the form that the endpoint badges of shields read.

use serde_json::json;

use super::conclusion::new_deviations;
use crate::result::RunResult;

/// Renders the result; the error is the serialiser's.
pub fn render(result: &RunResult) -> Result<String, String> {
    let s = &result.summary;
    let new = new_deviations(result);
    let (message, colour) = if !result.complete {
        ("incomplete".to_owned(), "lightgrey")
    } else if new > 0 {
        (format!("{new} deviating"), "red")
    } else if s.errored > 0 {
        (format!("{} not judged", s.errored), "red")
    } else if !result.stale_deviations.is_empty() {
        ("stale deviations".to_owned(), "red")
    } else if s.exact + s.deviating == 0 {
        ("nothing judged".to_owned(), "lightgrey")
    } else if s.deviating > 0 {
        (format!("{} exact, {} known to deviate", s.exact, s.deviating), "yellow")
    } else if s.unsupported + s.skipped > 0 {
        (format!("{} exact, {} not tested", s.exact, s.unsupported + s.skipped), "yellowgreen")
    } else {
        (format!("{} exact", s.exact), "brightgreen")
    };
    let badge = json!({ "schemaVersion": 1, "label": "npm second factor", "message": message, "color": colour });
    serde_json::to_string_pretty(&badge).map_err(|error| error.to_string())
}
