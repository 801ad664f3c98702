//! Bearer tokens: what each may do, and where it is kept.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::SystemTime;

use super::{Range, State, UserName};
use crate::registry::secrets::{TokenDigest, TokenText, random_hex};

/// What a token was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// Handed out by a log-in.
    Session,
    /// Created by hand, for anything its owner may do.
    Publish,
    /// Refused for every write.
    ReadOnly,
    /// Never challenged for writes to packages, and refused for account actions.
    Automation,
}

/// A token as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) owner: UserName,
    pub(crate) kind: TokenKind,
    pub(crate) key: String,
    pub(crate) mask: String,
    pub(crate) name: Option<String>,
    pub(crate) cidr_whitelist: Option<Vec<String>>,
    pub(crate) created: SystemTime,
    pub(crate) expires: Option<SystemTime>,
}

/// All tokens.
pub(crate) type Tokens = HashMap<TokenDigest, Token>;

impl Token {
    /// A token of a kind for a user, with its text still to be given to him.
    pub(crate) fn mint(owner: UserName, kind: TokenKind, now: SystemTime) -> (Self, TokenText) {
        let text = TokenText::mint();
        let token = Self {
            owner,
            kind,
            key: random_hex::<32>(),
            mask: text.mask(),
            name: None,
            cidr_whitelist: None,
            created: now,
            expires: None,
        };
        (token, text)
    }

    /// Whether it may be used from this address. One that is limited is dead where the address is not known.
    pub(crate) fn admits(&self, peer: Option<IpAddr>) -> bool {
        self.cidr_whitelist.as_ref().is_none_or(|ranges| {
            let ranges = ranges.iter().filter_map(|range| Range::parse(range));
            peer.is_some_and(|peer| ranges.into_iter().any(|range| range.holds(peer)))
        })
    }

    pub(crate) fn is_live(&self, now: SystemTime) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

impl State {
    pub(crate) fn keep_token(&mut self, token: Token, digest: TokenDigest) {
        if let Some(owner) = self.users.get_mut(&token.owner) {
            owner.tokens.insert(token.key.clone(), digest);
            self.tokens.insert(digest, token);
        }
    }

    pub(crate) fn drop_token(&mut self, digest: &TokenDigest) {
        if let Some(token) = self.tokens.remove(digest)
            && let Some(owner) = self.users.get_mut(&token.owner)
        {
            owner.tokens.remove(&token.key);
        }
    }
}
