//! An authenticator app on the real clock, with an implementation of RFC 6238 that the checker does not use.
//!
//! A registry takes each step's code once, and those of the steps before and after the present one too. So two codes
//! can be had without a wait: the first is of the earliest step that is still taken.

use std::time::{SystemTime, UNIX_EPOCH};

use totp_rs::{Builder, Secret, Totp};

/// RFC 6238 §4.1's default, and npm's.
const STEP_SECONDS: u64 = 30;
/// So close to a step's end a code of the step before could age out under way.
const MARGIN_SECONDS: u64 = 10;

pub struct Authenticator {
    totp: Totp,
    last: u64,
}

impl Authenticator {
    /// Set up with the secret; the code confirms it and must be sent at once.
    pub fn set_up(secret: &str) -> (Self, String) {
        let secret = Secret::try_from_base32(secret).expect("base32");
        let totp = Builder::new().with_secret(secret).with_step_duration(STEP_SECONDS).build_noncompliant();
        let first = (now() + MARGIN_SECONDS) / STEP_SECONDS - 1;
        let code = totp.generate(first * STEP_SECONDS);
        (Authenticator { totp, last: first }, code.to_string())
    }

    /// A fresh code, taken for half a minute at least.
    pub fn code(&mut self) -> String {
        self.last = (self.last + 1).max(now() / STEP_SECONDS);
        self.totp.generate(self.last * STEP_SECONDS).to_string()
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs()
}
