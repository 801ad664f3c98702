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

const HEAD: &str = include_str!("head.html");
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
    let title = format!("{} · {}", page.conclusion, page.target);
    fill(PAGE, SCRIPT, &title, values)
}

/// Fills a template, which begins with the `head` that every page has, and finds its script beside the values.
pub(super) fn fill(template: &str, script: &str, title: &str, values: Value) -> Result<String, String> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.map_err(|error| error.to_string())?);
    let failed = |error: minijinja::Error| format!("index.html: {error:#}");
    let of_head = context! {
        title,
        style => Value::from_safe_string(STYLE.to_owned()),
        style_hash => hash(STYLE),
        script_hash => (!script.is_empty()).then(|| hash(script)),
    };
    let head = environment.render_str(HEAD, of_head).map_err(failed)?;
    let own = context! {
        head => Value::from_safe_string(head),
        script => Value::from_safe_string(script.to_owned()),
    };
    environment.render_str(template, context! { ..own, ..values }).map_err(failed)
}

/// The hash by which a page names what it lets run.
fn hash(text: &str) -> Value {
    Value::from_safe_string(format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes()))))
}
