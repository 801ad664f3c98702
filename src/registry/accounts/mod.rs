//! Endpoints of accounts: log-in and its two doors, the profile, 2FA, security keys, web
//! challenges, tokens.

mod assertion;
mod authorize;
mod done;
mod keys;
mod login;
mod pages;
mod profile;
mod session;
mod token_request;
mod tokens;
mod two_factor;
mod unasked;
mod weblogin;

pub(super) use authorize::{answer_authorization, ask_authorization, assert_authorization, show_authorization};
pub(super) use done::poll;
pub(super) use keys::{add_key, begin_key, list_keys, remove_key, show_account};
pub(super) use login::{log_in, log_in_at, show_user};
pub(super) use profile::{change_profile, show_profile};
pub(super) use session::{log_out, whoami};
pub(super) use tokens::{create_token, list_tokens, revoke_token};
pub(super) use weblogin::{
    LogIn, answer_web_log_in, ask_web_log_in, assert_web_log_in, show_web_log_in, start_web_log_in,
};
