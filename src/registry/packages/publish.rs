//! Publishing a version, directly or by approving a staged one.

use serde_json::json;

use super::publication::Publication;
use crate::registry::authority::Standing;
use crate::registry::factor::{Action, Cleared, Mode, Offer};
use crate::registry::model::{Package, PackageName, PublishRule, Release, TokenKind, UserName};
use crate::registry::mutants::Mutant;
use crate::registry::transaction::{Caller, Credential, Transaction};
use crate::registry::wire::{Answer, Call, Refusal, Reply};

/// The text for a publisher who cannot meet a package's requirement (wire notes §2.4).
const REQUIRES_TWO_FACTOR: &str = "This package requires that publishers enable TFA and provide an OTP to publish.";

/// `PUT /<package>` with an attachment.
pub(super) fn publish(
    mut tx: Transaction<'_>,
    call: &Call,
    caller: &Caller,
    name: &PackageName,
    publication: &Publication,
) -> Reply {
    tx.check_publication(caller, name, publication)?;
    let mutants = &tx.settings().mutants;
    if mutants.has(Mutant::PublishBeforeChallenge) {
        tx.release(caller, name, publication);
    }
    if mutants.has(Mutant::PackumentBeforeChallenge) {
        tx.release(caller, name, publication);
        tx.lose_tarball(name, publication);
    }
    if let Some((name, publication)) = tx.challenged_publications.remove(&caller.user) {
        tx.release(caller, &name, &publication);
    }
    let unasked = (name.scope().is_some() && mutants.has(Mutant::ScopedPublishUnchallenged))
        || (tx.packages.contains_key(name) && mutants.has(Mutant::LaterVersionUnchallenged))
        || (call.has_empty_proof() && mutants.has(Mutant::EmptyProofPublishes));
    let cleared =
        if unasked { Ok(Cleared::NotAsked) } else { tx.demand_publisher(caller, Action::Publish, call, name) };
    if matches!(cleared, Err(Refusal::Challenge(_))) && mutants.has(Mutant::PublishAfterChallenge) {
        tx.challenged_publications.insert(caller.user.clone(), (name.clone(), publication.clone()));
    }
    if matches!(cleared, Err(Refusal::Forbidden(_))) && mutants.has(Mutant::RefusalHalfWritten) {
        tx.release(caller, name, publication);
        tx.lose_tarball(name, publication);
    }
    cleared?;
    let is_later = tx.packages.contains_key(name);
    if !mutants.has(Mutant::PublishNoEffect) {
        tx.release(caller, name, publication);
    }
    if is_later && mutants.has(Mutant::LaterVersionHalfWritten) {
        tx.lose_tarball(name, publication);
    }
    Ok(Answer::created(json!({ "ok": true, "success": true, "id": name.as_str() })))
}

impl Transaction<'_> {
    /// Whether a version may be published by a caller, the second factor aside.
    pub(super) fn check_publication(
        &self,
        caller: &Caller,
        name: &PackageName,
        publication: &Publication,
    ) -> Result<(), Refusal> {
        let Some(existing) = self.packages.get(name) else {
            return match name.scope().map(|scope| self.standing(&scope, &caller.user)) {
                None | Some(Standing::Administers | Standing::Member | Standing::Unclaimed) => Ok(()),
                Some(Standing::Stranger) => Err(Refusal::forbidden(format!(
                    "you do not have permission to publish {name}: the scope is not yours"
                ))),
            };
        };
        // A restricted package must not be given away by the answer to a stranger, but its name
        // is taken all the same.
        if self.writable_package(name, &caller.user).is_err() {
            return Err(Refusal::forbidden(format!("you do not have permission to publish {name}")));
        }
        let version = &publication.version;
        // These faults publish first and ask later: their second request meets its own effect.
        let mutants = &self.settings().mutants;
        if mutants.has(Mutant::PublishBeforeChallenge) || mutants.has(Mutant::PackumentBeforeChallenge) {
            return Ok(());
        }
        if existing.releases.contains_key(version) || existing.retired.contains(version) {
            return Err(Refusal::forbidden(format!(
                "You cannot publish over the previously published versions: {version}."
            )));
        }
        Ok(())
    }

    /// Lets a publication through, by the publisher's mode and by the package's own requirement.
    pub(super) fn demand_publisher(
        &mut self,
        caller: &Caller,
        action: Action,
        call: &Call,
        name: &PackageName,
    ) -> Result<Cleared, Refusal> {
        let mutants = &self.settings().mutants;
        let package = self.packages.get(name);
        let rule = match package.map(|package| package.rule) {
            Some(_) if mutants.has(Mutant::PackageRequirementIgnored) => None,
            Some(PublishRule::OwnMode) if mutants.has(Mutant::PackageRequirementSpreads) => self.any_rule(&caller.user),
            Some(PublishRule::TwoFactor | PublishRule::TwoFactorOrAutomation)
                if package.is_some_and(|package| !package.ruled.contains(&caller.user))
                    && mutants.has(Mutant::PackageRequirementOfFirstMaintainers) =>
            {
                None
            }
            Some(PublishRule::TwoFactorOrAutomation) if mutants.has(Mutant::PackageRequirementStopsAutomation) => {
                Some(PublishRule::TwoFactor)
            }
            Some(PublishRule::TwoFactor) if mutants.has(Mutant::PackageRequirementLetsAutomationThrough) => {
                Some(PublishRule::TwoFactorOrAutomation)
            }
            rule => rule,
        };
        let is_automation = matches!(caller.credential, Credential::Token(TokenKind::Automation));
        let is_first = package.is_some_and(|package| package.owners.first() == Some(&caller.user));
        match (rule.unwrap_or(PublishRule::OwnMode), self.mode_of(&caller.user)) {
            (PublishRule::OwnMode, _) => self.demand(caller, action, call),
            (_, Some(Mode::AuthOnly))
                if !is_automation && mutants.has(Mutant::PackageRequirementAuthOnlyUnchallenged) =>
            {
                Ok(Cleared::NotAsked)
            }
            (PublishRule::TwoFactor | PublishRule::TwoFactorOrAutomation, Some(Mode::AuthOnly))
                if !is_first && !is_automation && mutants.has(Mutant::PackageRequirementSparesOthers) =>
            {
                Ok(Cleared::NotAsked)
            }
            (PublishRule::TwoFactorOrAutomation, _) if is_automation => Ok(Cleared::NotAsked),
            (PublishRule::TwoFactor | PublishRule::TwoFactorOrAutomation, None) => {
                Err(Refusal::forbidden(REQUIRES_TWO_FACTOR))
            }
            (PublishRule::TwoFactor, Some(_)) if is_automation => Err(Refusal::forbidden(REQUIRES_TWO_FACTOR)),
            (
                PublishRule::TwoFactor | PublishRule::TwoFactorOrAutomation,
                Some(Mode::AuthOnly | Mode::AuthAndWrites),
            ) => self.demand_if(true, &caller.user, action, &Offer::of(call)),
        }
    }

    /// What any of a user's packages requires: a fault takes it for a requirement of all.
    fn any_rule(&self, user: &UserName) -> Option<PublishRule> {
        let own = self.packages.values().filter(|package| package.owners.contains(user));
        own.map(|package| package.rule).find(|rule| *rule != PublishRule::OwnMode)
    }

    /// Makes a version public, and the package and the claim on its scope if they are new.
    pub(super) fn release(&mut self, caller: &Caller, name: &PackageName, publication: &Publication) {
        let now = self.now();
        if let Some(scope) = name.scope() {
            self.claim(&scope, &caller.user);
        }
        let publisher = self.person(&caller.user);
        let package = self
            .packages
            .entry(name.clone())
            .or_insert_with(|| Package::new(caller.user.clone(), publication.visibility, now));
        let version = publication.version.clone();
        let file = name.tarball(&version);
        let mut manifest = publication.manifest.clone();
        manifest.insert("_npmUser".to_owned(), publisher);
        manifest.shift_remove("readme");
        package.tarballs.insert(file.clone(), publication.tarball.clone());
        package.releases.insert(
            version.clone(),
            Release { manifest, tarball: file, publisher: caller.user.clone(), published: now },
        );
        for tag in &publication.tags {
            package.tags.insert(tag.clone(), version.clone());
        }
        package.tags.entry("latest".to_owned()).or_insert(version);
        package.readme.clone_from(&publication.readme);
        package.touch(now);
    }

    /// Leaves a version listed without its tarball: a fault.
    fn lose_tarball(&mut self, name: &PackageName, publication: &Publication) {
        if let Some(package) = self.packages.get_mut(name) {
            package.tarballs.remove(&name.tarball(&publication.version));
        }
    }
}
