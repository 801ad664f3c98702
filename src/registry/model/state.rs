//! The whole memory of the registry.

use std::collections::{BTreeMap, HashMap};

use super::{Package, PackageName, Scope, ScopeName, Tokens, User, UserName};
use crate::registry::accounts::WebLogIns;
use crate::registry::factor::Mode;
use crate::registry::hooks::Hooks;
use crate::registry::packages::Stages;

/// Everything that the registry remembers. One lock guards it all.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) users: HashMap<UserName, User>,
    pub(crate) tokens: Tokens,
    pub(crate) scopes: HashMap<ScopeName, Scope>,
    pub(crate) packages: BTreeMap<PackageName, Package>,
    pub(crate) web_log_ins: WebLogIns,
    pub(crate) stages: Stages,
    pub(crate) hooks: Hooks,
    /// The mode that any user chose last. Only a fault reads it.
    pub(crate) mode_chosen_last: Option<Mode>,
}
