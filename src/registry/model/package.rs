//! A package: its releases, tarballs, tags, and who may do what with it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::SystemTime;

use axum::body::Bytes;
use serde_json::{Map, Value};

use super::{Revision, ScopeName, TeamName, UserName, VersionNumber};
use crate::registry::wire::Refusal;

/// One package.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) revision: Revision,
    /// The maintainers, in the order in which they joined.
    pub(crate) owners: Vec<UserName>,
    /// What teams were granted.
    pub(crate) grants: BTreeMap<(ScopeName, TeamName), Permission>,
    pub(crate) visibility: Visibility,
    pub(crate) rule: PublishRule,
    /// The maintainers when the rule was set last. Only a fault reads it.
    pub(crate) ruled: Vec<UserName>,
    pub(crate) releases: BTreeMap<VersionNumber, Release>,
    /// Versions that were unpublished; their numbers are not given out again.
    pub(crate) retired: BTreeSet<VersionNumber>,
    /// Tarballs by file name. One that no release names any more waits for its removal.
    pub(crate) tarballs: HashMap<String, Bytes>,
    pub(crate) tags: BTreeMap<String, VersionNumber>,
    pub(crate) stars: BTreeSet<UserName>,
    pub(crate) readme: String,
    pub(crate) created: SystemTime,
    pub(crate) modified: SystemTime,
}

/// One published version.
#[derive(Debug)]
pub(crate) struct Release {
    pub(crate) manifest: Map<String, Value>,
    pub(crate) tarball: String,
    pub(crate) publisher: UserName,
    pub(crate) published: SystemTime,
}

/// What a team may do with a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Permission {
    Read,
    Write,
}

/// Who can see a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visibility {
    Public,
    Restricted,
}

/// What a package asks of those who publish it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PublishRule {
    /// What their own mode says.
    OwnMode,
    /// A second factor, always.
    TwoFactor,
    /// A second factor, or an automation token.
    TwoFactorOrAutomation,
}

impl Package {
    pub(crate) fn new(owner: UserName, visibility: Visibility, now: SystemTime) -> Self {
        Self {
            revision: Revision::first(),
            owners: vec![owner],
            grants: BTreeMap::new(),
            visibility,
            rule: PublishRule::OwnMode,
            ruled: Vec::new(),
            releases: BTreeMap::new(),
            retired: BTreeSet::new(),
            tarballs: HashMap::new(),
            tags: BTreeMap::new(),
            stars: BTreeSet::new(),
            readme: String::new(),
            created: now,
            modified: now,
        }
    }

    /// Marks the package as changed.
    pub(crate) fn touch(&mut self, now: SystemTime) {
        self.revision.advance();
        self.modified = now;
    }

    /// Whether some release still names this tarball.
    pub(crate) fn is_released(&self, tarball: &str) -> bool {
        self.releases.values().any(|release| release.tarball == tarball)
    }

    /// The version that a tag or a version number names.
    pub(crate) fn resolve(&self, selector: &str) -> Option<&VersionNumber> {
        match self.tags.get(selector) {
            Some(tagged) => Some(tagged),
            None => {
                let version = VersionNumber::parse(selector).ok()?;
                self.releases.get_key_value(&version).map(|(key, _)| key)
            }
        }
    }

    /// The version that `latest` falls back to: the highest, and a prerelease only if there is
    /// nothing else.
    pub(crate) fn highest(&self) -> Option<&VersionNumber> {
        let stable = self.releases.keys().rfind(|version| !version.is_prerelease());
        stable.or_else(|| self.releases.keys().next_back())
    }
}

impl Permission {
    pub(crate) fn parse(name: &str) -> Result<Self, Refusal> {
        match name {
            "read-only" => Ok(Permission::Read),
            "read-write" => Ok(Permission::Write),
            _ => Err(Refusal::malformed("permissions are read-only or read-write")),
        }
    }

    /// The name in listings, which clients translate (`write` to `read-write`).
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Permission::Read => "read",
            Permission::Write => "write",
        }
    }
}

impl Visibility {
    /// npm says `public` and `restricted`; newer clients also know `private`.
    pub(crate) fn parse(name: &str) -> Result<Self, Refusal> {
        match name {
            "public" => Ok(Visibility::Public),
            "restricted" | "private" => Ok(Visibility::Restricted),
            _ => Err(Refusal::malformed("access is public or restricted")),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Visibility::Public => "public",
            Visibility::Restricted => "restricted",
        }
    }
}
