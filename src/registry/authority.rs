//! Who may see a package, who may write it, and who administers a scope.

use super::model::{Package, PackageName, Permission, Role, Scope, ScopeName, State, UserName, Visibility};
use super::wire::Refusal;

/// How a user stands to a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The scope is the user's own, or he is one of its owners or admins.
    Administers,
    /// A member without further powers.
    Member,
    /// Nobody has claimed the scope yet; whoever acts in it first will own it.
    Unclaimed,
    /// The scope belongs to others.
    Stranger,
}

impl State {
    /// A package that a visitor may see. Any other does not exist for him.
    pub(crate) fn visible_package(&self, name: &PackageName, visitor: Option<&UserName>) -> Result<&Package, Refusal> {
        self.packages.get(name).filter(|package| self.may_see(name, package, visitor)).ok_or_else(Refusal::no_package)
    }

    /// A package that a user may publish to, deprecate and unpublish.
    pub(crate) fn writable_package(&self, name: &PackageName, user: &UserName) -> Result<&Package, Refusal> {
        let package = self.visible_package(name, Some(user))?;
        if self.may_write(package, user) {
            Ok(package)
        } else {
            Err(Refusal::forbidden(format!("you do not have permission to write to {name}")))
        }
    }

    /// A package whose owners, access and requirements a user may change.
    pub(crate) fn managed_package(&self, name: &PackageName, user: &UserName) -> Result<&Package, Refusal> {
        let package = self.visible_package(name, Some(user))?;
        if package.owners.contains(user) || self.administers_scope_of(name, user) {
            Ok(package)
        } else {
            Err(Refusal::forbidden(format!("you do not have permission to manage {name}")))
        }
    }

    pub(crate) fn may_see(&self, name: &PackageName, package: &Package, visitor: Option<&UserName>) -> bool {
        match package.visibility {
            Visibility::Public => true,
            Visibility::Restricted => visitor.is_some_and(|user| {
                package.owners.contains(user)
                    || self.granted(package, user).is_some()
                    || self.administers_scope_of(name, user)
            }),
        }
    }

    fn may_write(&self, package: &Package, user: &UserName) -> bool {
        package.owners.contains(user) || self.granted(package, user) == Some(Permission::Write)
    }

    /// The most that a user's teams may do with a package.
    pub(crate) fn granted(&self, package: &Package, user: &UserName) -> Option<Permission> {
        package
            .grants
            .iter()
            .filter(|((scope, team), _)| {
                self.scopes
                    .get(scope)
                    .and_then(|scope| scope.teams.get(team))
                    .is_some_and(|team| team.members.contains(user))
            })
            .map(|(_, permission)| *permission)
            .max()
    }

    fn administers_scope_of(&self, name: &PackageName, user: &UserName) -> bool {
        name.scope().is_some_and(|scope| self.standing(&scope, user) == Standing::Administers)
    }

    pub(crate) fn standing(&self, scope: &ScopeName, user: &UserName) -> Standing {
        if scope.as_str() == user.as_str() {
            return Standing::Administers;
        }
        match self.scopes.get(scope) {
            Some(scope) => match scope.members.get(user) {
                Some(Role::Owner | Role::Admin) => Standing::Administers,
                Some(Role::Developer) => Standing::Member,
                None => Standing::Stranger,
            },
            None if self.users.contains_key(scope.as_str()) => Standing::Stranger,
            None => Standing::Unclaimed,
        }
    }

    /// Refuses a user who neither administers a scope nor would be the first in it.
    pub(crate) fn check_administers(&self, scope: &ScopeName, user: &UserName) -> Result<(), Refusal> {
        match self.standing(scope, user) {
            Standing::Administers | Standing::Unclaimed => Ok(()),
            Standing::Member | Standing::Stranger => {
                Err(Refusal::forbidden(format!("you do not have permission to administer @{scope}")))
            }
        }
    }

    /// A scope to be changed, claimed for this user if nobody has it. Call it once the change is
    /// decided: a claim is an effect.
    pub(crate) fn claim(&mut self, scope: &ScopeName, user: &UserName) -> &mut Scope {
        self.scopes.entry(scope.clone()).or_insert_with(|| Scope::claimed_by(user.clone()))
    }

    /// A claimed scope, for its members.
    pub(crate) fn scope_of_member(&self, scope: &ScopeName, user: &UserName) -> Result<&Scope, Refusal> {
        let found = self.scopes.get(scope);
        let found = found.ok_or(Refusal::NotFound("scope not found"))?;
        match self.standing(scope, user) {
            Standing::Administers | Standing::Member => Ok(found),
            Standing::Unclaimed | Standing::Stranger => {
                Err(Refusal::forbidden(format!("you are not a member of @{scope}")))
            }
        }
    }
}
