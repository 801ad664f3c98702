//! The pages. They work with a keyboard and when read aloud, and, but for security keys, which
//! browsers let only scripts speak to, without scripts.

use crate::registry::model::UserName;

const FRAME: &str = include_str!("../pages/frame.html");
const PASSWORD: &str = include_str!("../pages/password.html");
const CODE: &str = include_str!("../pages/code.html");
const CODE_INSTEAD: &str = include_str!("../pages/code_instead.html");
const KEY: &str = include_str!("../pages/key.html");
const KEY_SCRIPT: &str = include_str!("../pages/key.js");
const CONFIRM: &str = include_str!("../pages/confirm.html");
const CONFIRMED: &str = include_str!("../pages/confirmed.html");
const ACCOUNT: &str = include_str!("../pages/account.html");
const ACCOUNT_SCRIPT: &str = include_str!("../pages/account.js");
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

/// The button for a security key, and the form for a code, with what went wrong before.
pub(super) fn key_or_code(notice: Option<&str>) -> String {
    frame("Two-factor authentication", notice, &key(CODE_INSTEAD))
}

/// What is to be confirmed, and the means to do it.
pub(super) fn confirm(user: &UserName, action: &str, notice: Option<&str>) -> String {
    frame(CONFIRM_TITLE, notice, &(about(user, action) + &key(CODE_INSTEAD)))
}

/// The same without the form for a code: a fault.
pub(super) fn confirm_with_key_alone(user: &UserName, action: &str, notice: Option<&str>) -> String {
    frame(CONFIRM_TITLE, notice, &(about(user, action) + &key("")))
}

/// The end of a web challenge.
pub(super) fn confirmed() -> String {
    frame("Confirmed", None, CONFIRMED)
}

/// The account: log-in, and the security keys.
pub(super) fn account() -> String {
    frame("Account", None, &ACCOUNT.replace("{{script}}", ACCOUNT_SCRIPT))
}

const CONFIRM_TITLE: &str = "Confirm that it is you";

fn about(user: &UserName, action: &str) -> String {
    CONFIRM.replace("{{user}}", user.as_str()).replace("{{action}}", action)
}

fn key(code: &str) -> String {
    KEY.replace("{{code}}", code).replace("{{script}}", KEY_SCRIPT)
}

/// The end of a log-in.
pub(super) fn finished() -> String {
    frame("Logged in", None, FINISHED)
}

/// A page that has expired, is used up, or never was.
pub(super) fn gone() -> String {
    frame("Page not found", None, GONE)
}

/// Fills the frame. Only texts of this module's callers go in, and names of users, which have no
/// character that HTML knows.
fn frame(title: &str, notice: Option<&str>, content: &str) -> String {
    let notice = notice.map_or(String::new(), |notice| format!("<p role=\"alert\">{notice}</p>\n"));
    FRAME.replace("{{title}}", title).replace("{{notice}}", &notice).replace("{{content}}", content)
}
