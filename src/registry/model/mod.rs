//! What the registry remembers.

mod address;
mod expiring;
mod names;
mod package;
pub(super) mod packument;
mod revision;
mod scope;
mod state;
mod token;
mod user;
mod version;
mod visits;

pub(super) use address::Range;
pub(super) use expiring::{Expiring, Of};
pub(super) use names::{PackageName, ScopeName, TeamName, UserName};
pub(super) use package::{Package, Permission, PublishRule, Release, Visibility};
pub(super) use revision::Revision;
pub(super) use scope::{Role, Scope, Team};
pub(super) use state::State;
pub(super) use token::{Token, TokenKind, Tokens};
pub(super) use user::{Profile, User};
pub(super) use version::VersionNumber;
pub(super) use visits::{Addresses, Visits};
