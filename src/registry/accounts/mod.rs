//! Endpoints of accounts: log-in and its two doors, the profile, 2FA, tokens.

mod login;
mod pages;
mod profile;
mod session;
mod token_request;
mod tokens;
mod two_factor;
mod weblogin;

pub(super) use login::{log_in, log_in_at, show_user};
pub(super) use profile::{change_profile, show_profile};
pub(super) use session::{log_out, whoami};
pub(super) use tokens::{create_token, list_tokens, revoke_token};
pub(super) use weblogin::{WebLogIns, answer_web_log_in, poll_web_log_in, show_web_log_in, start_web_log_in};
