//! `index.html`: one file that opens from a disk without a network.
//!
//! What everybody looks at, the summary and the tables, is in the page; what few look at, the requests and answers of
//! each case, is packed into it and unpacked by the browser when a case is opened. Every word of a target goes
//! through the template's escaping or is set as text; the page runs its own script and no other.

mod archive;
mod page;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use sha2::{Digest as _, Sha256};

use crate::result::RunResult;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("page.js");

/// Renders the result; the error is the template's.
pub fn render(result: &RunResult) -> Result<String, String> {
    let page = page::of(result);
    let archive = archive::pack(result)?;
    let values = context! {
        page => Value::from(Serde(&page)),
        // Base64 has nothing to escape, and in a script nothing would undo it.
        archive => Value::from_safe_string(archive),
    };
    fill(PAGE, SCRIPT, values)
}

/// Fills a template, which finds the style, the script and their hashes beside the values.
pub(super) fn fill(template: &str, script: &str, values: Value) -> Result<String, String> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.map_err(|error| error.to_string())?);
    let own = context! {
        style => Value::from_safe_string(STYLE.to_owned()),
        script => Value::from_safe_string(script.to_owned()),
        style_hash => hash(STYLE),
        script_hash => hash(script),
    };
    environment.render_str(template, context! { ..own, ..values }).map_err(|error| format!("index.html: {error:#}"))
}

/// The hash by which a page names what it lets run.
fn hash(text: &str) -> Value {
    Value::from_safe_string(format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes()))))
}
