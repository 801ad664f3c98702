//! Endpoints of packages: reading them, and everything that changes one.

mod access;
mod deprecate;
mod dist_tags;
mod integrity;
mod owners;
mod publication;
mod publish;
mod put;
mod read;
mod search;
mod stage;
mod stars;
mod unpublish;

pub(super) use access::{change_access, collaborators, show_access, show_visibility};
pub(super) use dist_tags::{list_tags, merge_tags, remove_tag, replace_tags, set_tag, show_tag};
pub(super) use owners::{add_owner, list_owners, remove_owner};
pub(super) use publication::Publication;
pub(super) use put::{put, put_at};
pub(super) use read::{show, show_version, tarball};
pub(super) use search::search;
pub(super) use stage::{Stages, add_stage, approve_stage, list_stages, reject_stage, show_stage, stage_tarball};
pub(super) use stars::{star, star_named, starred, unstar, unstar_named};
pub(super) use unpublish::{remove_tarball, unpublish_all};
