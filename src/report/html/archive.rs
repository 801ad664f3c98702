//! The cases' bodies, packed: requests and answers repeat each other so much that they shrink to a fifteenth.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, GzBuilder};
use serde_json::Value;

use crate::report::standing::showing;
use crate::report::text::clean_lines;
use crate::result::RunResult;

/// All cases, and then the observed, as base64 of gzip of JSON. No bytes of it depend on the time.
pub(super) fn pack(result: &RunResult) -> Result<String, String> {
    let mut cases = Vec::new();
    for case in result.cases.iter().chain(&result.observations) {
        let mut value = serde_json::to_value(case).map_err(|error| error.to_string())?;
        clean(&mut value);
        value["showing"] = showing(case).into();
        cases.push(value);
    }
    let cannot = |error: std::io::Error| error.to_string();
    let mut packed = GzBuilder::new().write(Vec::new(), Compression::best());
    packed.write_all(Value::Array(cases).to_string().as_bytes()).map_err(cannot)?;
    Ok(STANDARD.encode(packed.finish().map_err(cannot)?))
}

fn clean(value: &mut Value) {
    match value {
        Value::String(text) => *text = clean_lines(text),
        Value::Array(items) => items.iter_mut().for_each(clean),
        Value::Object(members) => members.values_mut().for_each(clean),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
