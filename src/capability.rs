//! What a registry can be required to be judged for, and what the surfaces of a dialect belong to.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A part of a registry: a kind of second factor, or actions that stand and fall together.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// One-time passwords (RFC 6238).
    Totp,
    /// Security keys (WebAuthn).
    SecurityKey,
    /// Recovery codes.
    RecoveryCodes,
    /// Logging in with name and password.
    Login,
    /// Logging in on a page.
    WebLogin,
    /// Profile, password and the mode of the second factor.
    Account,
    /// Making and revoking tokens.
    Tokens,
    /// Publishing, unpublishing and deprecating packages.
    Packages,
    /// Dist-tags.
    DistTags,
    /// The owners of packages.
    Owners,
    /// Visibility of packages, and what they ask of who publishes them.
    Access,
    /// Teams, and what they may do with packages.
    Teams,
    /// Organizations.
    Organizations,
    /// Hooks.
    Hooks,
    /// Packages that are staged and approved later.
    Staging,
}

impl Capability {
    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Capability::Totp => "totp",
            Capability::SecurityKey => "security-key",
            Capability::RecoveryCodes => "recovery-codes",
            Capability::Login => "login",
            Capability::WebLogin => "web-login",
            Capability::Account => "account",
            Capability::Tokens => "tokens",
            Capability::Packages => "packages",
            Capability::DistTags => "dist-tags",
            Capability::Owners => "owners",
            Capability::Access => "access",
            Capability::Teams => "teams",
            Capability::Organizations => "organizations",
            Capability::Hooks => "hooks",
            Capability::Staging => "staging",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
