//! The whole memory of the registry.

use std::collections::{BTreeMap, HashMap};

use super::{Package, PackageName, Scope, ScopeName, Tokens, User, UserName, Visits};
use crate::registry::accounts::LogIn;
use crate::registry::factor::{Authorization, Mode, WebTokens};
use crate::registry::hooks::Hooks;
use crate::registry::keys::Ceremonies;
use crate::registry::packages::{Publication, Stages};

/// Everything that the registry remembers. One lock guards it all.
#[derive(Default)]
pub(crate) struct State {
    /// In boxes, so that the map can grow without moving a million of them, which would take seconds.
    pub(crate) users: HashMap<UserName, Box<User>>,
    pub(crate) tokens: Tokens,
    pub(crate) scopes: HashMap<ScopeName, Scope>,
    pub(crate) packages: BTreeMap<PackageName, Package>,
    pub(crate) log_ins: Visits<LogIn>,
    pub(crate) authorizations: Visits<Authorization>,
    pub(crate) web_tokens: WebTokens,
    pub(crate) ceremonies: Ceremonies,
    /// Whose each security key is or was, by credential identifier: none is registered twice.
    pub(crate) credentials: HashMap<Vec<u8>, UserName>,
    /// Challenges that are no good any more. Only faults fill this in.
    pub(crate) old_challenges: Vec<(UserName, String)>,
    pub(crate) stages: Stages,
    pub(crate) hooks: Hooks,
    /// What users' last challenged publications were. Only a fault fills this in.
    pub(crate) challenged_publications: HashMap<UserName, (PackageName, Publication)>,
    /// Who finished a web login last. Only a fault reads it.
    pub(crate) finished_last: Option<UserName>,
    /// The mode that any user chose last. Only a fault reads it.
    pub(crate) mode_chosen_last: Option<Mode>,
}
