//! `result.json`: the document itself, as every other report reads it.

use crate::result::RunResult;

/// Renders the result; the error is the serialiser's.
pub fn render(result: &RunResult) -> Result<String, String> {
    serde_json::to_string_pretty(result).map_err(|error| error.to_string())
}
