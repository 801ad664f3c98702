//! What clients of all generations send to have a token made (wire notes §7).

use std::time::Duration;

use crate::registry::model::{Range, TokenKind};
use crate::registry::secrets::Password;
use crate::registry::wire::{Fields, Refusal};

const DAY: Duration = Duration::from_secs(86_400);

/// A wish for a token.
pub(super) struct TokenRequest {
    pub(super) password: Option<Password>,
    pub(super) kind: TokenKind,
    pub(super) name: Option<String>,
    pub(super) cidr_whitelist: Option<Vec<String>>,
    pub(super) lifetime: Option<Duration>,
}

impl TokenRequest {
    /// Reads the classic body (`readonly`, and `automation` where a client knows it) and the
    /// granular one (`bypass_2fa`, `packages_and_scopes_permission`, `expires` in days). Granular
    /// limits to packages, scopes and organisations are taken in and not enforced.
    pub(super) fn parse(mut fields: Fields) -> Result<Self, Refusal> {
        let password = fields.text("password")?.map(Password::new);
        let permission = fields.text("packages_and_scopes_permission")?;
        let readonly = fields.truth("readonly")?.unwrap_or(false) || permission.as_deref() == Some("read-only");
        let automation = fields.truth("automation")?.unwrap_or(false) || fields.truth("bypass_2fa")?.unwrap_or(false);
        let kind = match (readonly, automation) {
            (false, false) => TokenKind::Publish,
            (true, false) => TokenKind::ReadOnly,
            (false, true) => TokenKind::Automation,
            (true, true) => {
                return Err(Refusal::malformed("a token is either read-only or bypasses 2FA, not both"));
            }
        };
        let whitelist = fields.texts("cidr_whitelist")?;
        if whitelist.iter().flatten().any(|range| Range::parse(range).is_none()) {
            return Err(Refusal::malformed("`cidr_whitelist` is a list of addresses, each with its number of bits"));
        }
        Ok(Self {
            password,
            kind,
            name: fields.text("name")?,
            cidr_whitelist: whitelist.filter(|addresses| !addresses.is_empty()),
            lifetime: fields.whole("expires")?.map(|days| DAY.saturating_mul(u32::try_from(days).unwrap_or(u32::MAX))),
        })
    }
}
