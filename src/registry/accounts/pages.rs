//! The pages of the web login. They work without scripts, with a keyboard, and when read aloud.

const FRAME: &str = include_str!("../pages/frame.html");
const PASSWORD: &str = include_str!("../pages/password.html");
const CODE: &str = include_str!("../pages/code.html");
const FINISHED: &str = include_str!("../pages/finished.html");
const GONE: &str = include_str!("../pages/gone.html");

/// The form for name and password, with what went wrong before.
pub(super) fn password(notice: Option<&str>) -> String {
    frame("Log in", notice, PASSWORD)
}

/// The form for a one-time pass, with what went wrong before.
pub(super) fn code(notice: Option<&str>) -> String {
    frame("Two-factor authentication", notice, CODE)
}

/// The end of a log-in.
pub(super) fn finished() -> String {
    frame("Logged in", None, FINISHED)
}

/// A page that has expired, is used up, or never was.
pub(super) fn gone() -> String {
    frame("Page not found", None, GONE)
}

/// Fills the frame. Only texts of this module's callers go in, none that a visitor sent.
fn frame(title: &str, notice: Option<&str>, content: &str) -> String {
    let notice = notice.map_or(String::new(), |notice| format!("<p role=\"alert\">{notice}</p>\n"));
    FRAME.replace("{{title}}", title).replace("{{notice}}", &notice).replace("{{content}}", content)
}
