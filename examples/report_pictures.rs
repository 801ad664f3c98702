//! Pictures of a report for whoever changes it, and how long its page takes: in headless Chromium, wide, narrow and dark.
//!
//! `cargo run --release --example report_pictures -- INDEX.HTML FOLDER [CASE]`, with the number of the case to unfold.

#[path = "../tests/report/page.rs"]
mod page;

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use page::Page;

const OPENED: &str = "(async () => { const start = performance.now(); const row = document.querySelector('details.case'); row.open = true; while (!row.querySelector('.body')) await new Promise(requestAnimationFrame); return performance.now() - start; })()";
const FILTERED: &str = "(() => { const text = document.getElementById('filter-text'); const start = performance.now(); text.value = 'replay'; text.dispatchEvent(new Event('input', { bubbles: true })); document.body.offsetHeight; return performance.now() - start; })()";

#[tokio::main]
async fn main() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("which index.html, and where do the pictures go?".to_owned());
    };
    let (file, folder) = (PathBuf::from(file), PathBuf::from(folder));
    let file = file.canonicalize().map_err(|error| format!("{}: {error}", file.display()))?;
    let case = arguments.next().unwrap_or_else(|| "0".to_owned());

    let mut page = Page::open(&file, (1280, 900), "light").await;
    page.until("performance.getEntriesByType('navigation')[0].loadEventEnd > 0").await;
    let loaded = page.value("performance.getEntriesByType('navigation')[0].loadEventEnd").await;
    let (opened, filtered) = (page.value(OPENED).await, page.value(FILTERED).await);
    println!("loaded in {loaded} ms, the first case opened in {opened} ms, filtered in {filtered} ms");

    for (name, size, scheme) in
        [("wide", (1280, 900), "light"), ("narrow", (380, 800), "light"), ("dark", (1280, 900), "dark")]
    {
        let mut page = Page::open(&file, size, scheme).await;
        let at = |id: &str| format!("document.getElementById('{id}').scrollIntoView()");
        for (part, script) in [
            ("top", "scrollTo(0, 0)".to_owned()),
            ("untested", at("untested")),
            ("table", at("table-auth-and-writes")),
            ("others", at("table-not-asked")),
            ("cases", at("cases")),
            ("case", format!("location.hash = '#case-{case}'")),
        ] {
            page.value(&script).await;
            if part == "case" {
                page.until(&format!("document.querySelector('#case-{case} .body') !== null")).await;
                page.value(&format!("document.querySelector('#case-{case} .step details').open = true")).await;
                page.until(&format!("document.querySelector('#case-{case} pre') !== null")).await;
            }
            let picture = STANDARD.decode(page.picture(false).await).map_err(|error| error.to_string())?;
            let name = folder.join(format!("{name}-{part}.png"));
            std::fs::write(&name, picture).map_err(|error| format!("{}: {error}", name.display()))?;
        }
    }
    Ok(())
}
