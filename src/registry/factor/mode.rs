//! The two modes in which 2FA can be enabled. A user without 2FA has no mode.

/// What a user wants to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Log-in and changes to the account only.
    AuthOnly,
    /// Those, and writes to packages.
    AuthAndWrites,
}

impl Mode {
    /// The documented default: "by default, 2FA is enabled for authorization and writes".
    pub(crate) const DEFAULT: Mode = Mode::AuthAndWrites;

    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "auth-only" => Some(Mode::AuthOnly),
            "auth-and-writes" => Some(Mode::AuthAndWrites),
            _ => None,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Mode::AuthOnly => "auth-only",
            Mode::AuthAndWrites => "auth-and-writes",
        }
    }
}
