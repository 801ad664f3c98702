//! Scopes: who belongs to one, and its teams.

use std::collections::{BTreeMap, BTreeSet};

use super::{TeamName, UserName};
use crate::registry::wire::Refusal;

/// A claimed scope: an organisation, or the scope of a user's own name.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) members: BTreeMap<UserName, Role>,
    pub(crate) teams: BTreeMap<TeamName, Team>,
}

/// What a member of a scope may do. Owners and admins administer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Developer,
    Admin,
    Owner,
}

/// A team of a scope.
#[derive(Debug, Default)]
pub(crate) struct Team {
    pub(crate) members: BTreeSet<UserName>,
}

impl Scope {
    pub(crate) fn claimed_by(owner: UserName) -> Self {
        Self { members: BTreeMap::from([(owner, Role::Owner)]), teams: BTreeMap::new() }
    }
}

impl Role {
    pub(crate) fn parse(name: &str) -> Result<Self, Refusal> {
        match name {
            "developer" => Ok(Role::Developer),
            "admin" => Ok(Role::Admin),
            "owner" => Ok(Role::Owner),
            _ => Err(Refusal::malformed("a role is developer, admin or owner")),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Role::Developer => "developer",
            Role::Admin => "admin",
            Role::Owner => "owner",
        }
    }
}
