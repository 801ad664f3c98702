//! Endpoints of scopes: organisations, teams, and what teams may do with packages.

mod grants;
mod listings;
mod orgs;
mod teams;

pub(super) use grants::{grant, revoke, team_packages};
pub(super) use listings::{scope_packages, user_packages};
pub(super) use orgs::{list_members, remove_member, set_member};
pub(super) use teams::{add_team_member, create_team, destroy_team, list_team_members, list_teams, remove_team_member};
