//! Dialects: how actions, challenges, proofs and effects look on the wire, as data.

mod classify;
mod features;
pub mod headers;
pub mod predicate;
pub mod step;
mod surface;
pub mod template;
mod undriven;
pub mod unmet;
pub mod waits;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use minijinja::Value;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::capability::Capability;
use crate::source::Source;
use crate::yaml::{self, FileError, Spanned};
pub use classify::{Asked, Classified, Failing, classify};
use headers::{ClientHeaders, CommandRule};
use predicate::{Answer, Predicate};
use step::{Deed, Step};
pub use surface::{Fact, LeavesAccount, Read, Surface};
use template::{Template, Unfilled};
pub use undriven::Undriven;

/// A dialect.
#[derive(Debug)]
pub struct Dialect {
    /// Its name.
    pub name: String,
    /// Headers of every request.
    pub headers: BTreeMap<String, Template>,
    /// The header in which a proof travels.
    pub proof_header: String,
    /// The header that names the command which sends a request, where there is one.
    pub command_header: Option<String>,
    /// What other clients send, by the names that scenarios call them.
    pub clients: BTreeMap<String, ClientHeaders>,
    /// What is a challenge, first match first.
    pub challenge: Vec<Recogniser>,
    /// When a challenge sends the user to a page, and where that is.
    pub web_challenge: WebChallenge,
    /// Why no security key can be used on the target, where none can.
    pub no_keys: Option<Undriven>,
    /// Routines that it describes itself or leaves to targets: scenarios run them by name.
    pub offered: Vec<String>,
    /// Routines that a target file can describe, and this one does not.
    pub undescribed: Vec<String>,
    /// Whether the target's pages are opened in a browser.
    pub in_browser: bool,
    /// Answers that say that there is no such route.
    pub not_implemented: Vec<Predicate>,
    /// Answers that ask for patience.
    pub throttled: Vec<Predicate>,
    /// Where the body of such an answer says for how many seconds: a pointer into it (RFC 6901).
    pub retry_after: Option<String>,
    /// Headers of read-backs beside those of every request: they ask past caches.
    pub read_back_headers: BTreeMap<String, Template>,
    /// Answers that a cache has given in place of the registry. They prove no absence.
    pub cached: Vec<Predicate>,
    /// Names of JSON members whose values are secrets in any answer.
    pub secret_members: Vec<String>,
    /// Names of JSON members whose addresses are as good as a password to whoever knows them.
    pub address_members: Vec<String>,
    /// The features whose writes ask for no second factor in mode auth-only.
    pub eased: Vec<Capability>,
    /// Named sequences of steps.
    pub routines: BTreeMap<String, Vec<Step>>,
    /// Every way to perform every action.
    pub surfaces: Vec<Surface>,
}

/// A dialect, as its file states it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct DialectFile {
    /// Its name.
    name: String,
    /// Headers of every request.
    headers: BTreeMap<String, Template>,
    /// The header in which a proof travels.
    proof_header: String,
    /// The header in which a client names the command that sends a request.
    command_header: Option<String>,
    /// Which command sends which request, the first match first, where neither a step nor its surface says it.
    #[serde(default)]
    commands: Vec<CommandRule>,
    /// What other clients send in place of these headers, by the names that scenarios call them.
    #[serde(default)]
    clients: BTreeMap<String, ClientHeaders>,
    /// What is a challenge, the first match first.
    challenge: Vec<Recogniser>,
    /// When a challenge sends the user to a page, and where that is.
    web_challenge: WebChallenge,
    /// Answers that say that there is no such route.
    not_implemented: Vec<Predicate>,
    /// Answers that ask for patience.
    throttled: Vec<Predicate>,
    /// Where the body of such an answer says for how many seconds, for one without the header `retry-after`: a pointer
    /// into it (RFC 6901).
    retry_after: Option<String>,
    /// Headers of read-backs beside those of every request: they ask past caches.
    #[serde(default)]
    read_back_headers: BTreeMap<String, Template>,
    /// Answers that a cache has given in place of the registry. One may show that something is there, and never that
    /// something is not.
    #[serde(default)]
    cached: Vec<Predicate>,
    /// Names of JSON members whose values are secrets in any answer.
    secret_members: Vec<String>,
    /// Names of JSON members that hold addresses of pages and of what they make: their long path segments and query
    /// values are shown as placeholders.
    #[serde(default)]
    address_members: Vec<String>,
    /// Routines that only a target can describe.
    #[serde(default)]
    target_routines: Vec<String>,
    /// The features of surfaces whose writes ask for no second factor in mode auth-only: on accounts that are lent their
    /// objects may be made and removed there.
    #[serde(default)]
    eased: Vec<Capability>,
    /// Named sequences of steps.
    routines: BTreeMap<String, Vec<Step>>,
    /// The files of surfaces, beside this one.
    surfaces: Vec<String>,
}

/// The routines that the checker runs by name: `sign-up` and `enrol` make users; `recognise`, `recognise-mode`,
/// `log-in` and `log-out` are for users who exist already; `step-down` takes a user's second factor away and `spend`
/// spends a proof; `collect-proof` fetches what a page has made of a security key's answer.
const NEEDED: [&str; 9] =
    ["sign-up", "enrol", "recognise", "recognise-mode", "log-in", "log-out", "step-down", "spend", "collect-proof"];

/// The routines that a target's pages need for security keys.
const OF_KEYS: [&str; 2] = ["register-key", "authorise-by-key"];

impl Dialect {
    /// Reads a dialect and the files of surfaces that it names, and lets a target change it before it is checked.
    pub fn read(source: &Source, change: Change) -> Result<Self, FileError> {
        let file: DialectFile = source.parse()?;
        let offered = file.routines.keys().chain(&file.target_routines).cloned().collect();
        let mut routines: Vec<(Source, String, Vec<Step>)> =
            file.routines.into_iter().map(|(name, steps)| (source.clone(), name, steps)).collect();
        for (name, steps) in change.routines.into_iter().chain(change.pages) {
            routines.retain(|(_, known, _)| *known != name);
            routines.push((change.source.clone(), name, steps));
        }
        let in_browser =
            routines.iter().flat_map(|(_, _, steps)| steps).any(|step| matches!(step.deed, Deed::Browse(_)));
        let names: Vec<String> = routines.iter().map(|(_, name, _)| name.clone()).collect();
        if let Some(missing) = NEEDED.iter().find(|needed| !names.iter().any(|name| name == *needed)) {
            return Err(FileError::whole(source.name(), format!("the routine `{missing}` is missing"), None));
        }
        for (source, _, steps) in &routines {
            know(source, steps, &names)?;
        }
        for (source, name, steps) in &routines {
            if let Some(step) = leads_back(name, steps, &routines, &mut Vec::new()) {
                return Err(source.wrong(step, format!("the routine `{name}` would run itself without end"), None));
            }
        }
        let mut surfaces: Vec<(Source, Surface)> = Vec::new();
        for path in &file.surfaces {
            let source = source.beside(path);
            let listed: Vec<Surface> = source.parse()?;
            surfaces.extend(listed.into_iter().map(|surface| (source.clone(), surface)));
        }
        // A target's own way takes the place of the dialect's.
        let (kept, replaced): (Vec<_>, Vec<_>) =
            surfaces.into_iter().partition(|(_, surface)| !change.surfaces.iter().any(|own| own.id() == surface.id()));
        let mut surfaces = kept;
        surfaces.extend(change.surfaces.into_iter().map(|mut surface| {
            // It belongs to what the other belonged to.
            let known = replaced.iter().find(|(_, other)| other.id() == surface.id());
            surface.feature = surface.feature.or_else(|| known.and_then(|(_, other)| other.feature));
            (change.source.clone(), surface)
        }));
        let ids: Vec<String> = surfaces.iter().map(|(_, surface)| surface.id()).collect();
        if let Some((unknown, reason)) = change.unsupported.iter().find(|(id, _)| !ids.contains(id)) {
            let hint = Some(yaml::allowed(unknown, &ids));
            return Err(change.source.wrong(reason, format!("`{unknown}` is no surface"), hint));
        }
        let undescribed: Vec<String> =
            file.target_routines.iter().filter(|name| !names.contains(name)).cloned().collect();
        for (source, surface) in &mut surfaces {
            let missing = undescribed.iter().find(|name| surface.runs(name));
            surface.undriven = match (change.unsupported.get(&surface.id()), missing) {
                (Some(reason), _) => Some(Undriven::Missing(reason.value.clone())),
                (None, Some(name)) => Some(Undriven::NotDescribed(name.clone())),
                (None, None) => {
                    surface.check(source, &names)?;
                    None
                }
            };
        }
        for (_, _, steps) in &mut routines {
            headers::assign(steps, &file.commands);
        }
        for (_, surface) in &mut surfaces {
            headers::assign_to_surface(surface, &file.commands);
        }
        let mut not_implemented = file.not_implemented;
        not_implemented.extend(change.not_implemented);
        let routines = routines.into_iter().map(|(_, name, steps)| (name, steps)).collect();
        let surfaces = surfaces.into_iter().map(|(_, surface)| surface).collect();
        let no_keys = OF_KEYS
            .iter()
            .find(|needed| !names.iter().any(|name| name == *needed))
            .map(|missing| Undriven::NotDescribed((*missing).to_owned()));
        let DialectFile {
            name,
            headers,
            proof_header,
            command_header,
            clients,
            challenge,
            web_challenge,
            throttled,
            retry_after,
            read_back_headers,
            cached,
            secret_members,
            address_members,
            eased,
            ..
        } = file;
        let retry_after = change.retry_after.or(retry_after);
        Ok(Dialect {
            name,
            headers,
            proof_header,
            command_header,
            clients,
            challenge,
            web_challenge,
            no_keys,
            offered,
            undescribed,
            in_browser,
            not_implemented,
            throttled,
            retry_after,
            read_back_headers,
            cached,
            secret_members,
            address_members,
            eased,
            routines,
            surfaces,
        })
    }
}

impl Dialect {
    /// The names by which routines are run: by the checker, by steps and by scenarios, and those that it leaves to targets.
    pub fn run_by_name(&self) -> BTreeSet<String> {
        let surfaces = self.surfaces.iter().flat_map(|surface| {
            let reads = surface.effect.iter().flat_map(|fact| fact.read.undo.iter());
            [&surface.prepare, &surface.before, &surface.perform].into_iter().flatten().chain(reads)
        });
        let steps: Vec<&Step> = self.routines.values().flatten().chain(surfaces).collect();
        let undoing = steps.iter().flat_map(|step| step.undo.iter());
        let ran = steps.iter().copied().chain(undoing).flat_map(|step| run_by(std::slice::from_ref(step)));
        let named = NEEDED.iter().chain(&OF_KEYS).map(|name| (*name).to_owned());
        ran.map(|name| name.value.clone()).chain(named).chain(self.offered.iter().cloned()).collect()
    }

    /// Whether mode auth-only asks for no second factor for what a surface writes, where it writes.
    pub fn eases(&self, surface: &Surface) -> bool {
        surface.feature.is_none_or(|feature| self.eased.contains(&feature))
    }

    /// Whether a page of the target asks for the second factor, and not the protocol.
    pub fn asks_on_page(&self, steps: &[Step]) -> bool {
        steps.iter().any(|step| match &step.deed {
            Deed::Request(request) => request.by_key.is_some(),
            Deed::Routine { name, .. } => self.routines.get(&name.value).is_some_and(|steps| self.asks_on_page(steps)),
            Deed::Key(_) | Deed::Browse(_) => false,
        })
    }

    /// Where steps that undo something stand: a name that stays the same as long as the dialect's files do.
    pub fn name_of_undoing(&self, steps: &[Step]) -> Option<String> {
        self.undoings().find_map(|(name, known)| std::ptr::eq(known.as_slice(), steps).then_some(name))
    }

    /// The steps that undo something, by where they stand.
    pub fn undoing(&self, name: &str) -> Option<Arc<Vec<Step>>> {
        self.undoings().find_map(|(known, steps)| (known == name).then(|| Arc::clone(steps)))
    }

    fn undoings(&self) -> impl Iterator<Item = (String, &Arc<Vec<Step>>)> {
        fn of(place: String, steps: &[Step]) -> Vec<(String, &Arc<Vec<Step>>)> {
            let undos = steps.iter().map(|step| &step.undo).enumerate();
            undos.map(|(number, undo)| (format!("{place}/{number}"), undo)).collect()
        }
        let routines = self.routines.iter().flat_map(move |(name, steps)| of(format!("routine {name}"), steps));
        let surfaces = self.surfaces.iter().flat_map(move |surface| {
            let id = surface.id();
            let parts = [("prepare", &surface.prepare), ("before", &surface.before), ("perform", &surface.perform)];
            let mut undos: Vec<_> =
                parts.iter().flat_map(|(part, steps)| of(format!("surface {id}, {part}"), steps)).collect();
            let reads = surface.effect.iter().map(|fact| &fact.read.undo).enumerate();
            undos.extend(reads.map(|(number, undo)| (format!("surface {id}, effect/{number}"), undo)));
            undos
        });
        routines.chain(surfaces)
    }

    /// The rules by which answers are told apart, whatever was asked.
    pub fn rules(&self) -> impl Iterator<Item = &Predicate> {
        let challenges = self.challenge.iter().map(|recogniser| &recogniser.when);
        challenges.chain(&self.throttled).chain(&self.not_implemented)
    }

    /// The first rule that takes the answer for a challenge.
    pub fn recognise(&self, answer: &Answer, variables: &Value) -> Result<Option<&Recogniser>, Unfilled> {
        for recogniser in &self.challenge {
            if recogniser.when.holds(answer, variables)? {
                return Ok(Some(recogniser));
            }
        }
        Ok(None)
    }
}

/// How a challenge sends the user to a page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WebChallenge {
    /// The challenges that do.
    pub when: Predicate,
    /// The page's address: a pointer into the body (RFC 6901).
    pub page: String,
    /// The address that yields the proof: a pointer, too.
    pub done: String,
}

/// What a target does differently from its dialect.
#[derive(Debug)]
pub struct Change {
    /// The target's file.
    pub source: Source,
    /// Routines in place of the dialect's.
    pub routines: BTreeMap<String, Vec<Step>>,
    /// Routines that open the target's pages, in place of the others.
    pub pages: BTreeMap<String, Vec<Step>>,
    /// Surfaces beside the dialect's, or in place of those of the same id.
    pub surfaces: Vec<Surface>,
    /// Surfaces that the target does not have, or that cannot be driven, each with the reason.
    pub unsupported: BTreeMap<String, Spanned<String>>,
    /// Answers that say that there is no such route, beside the dialect's.
    pub not_implemented: Vec<Predicate>,
    /// Where the body of a throttled answer says for how many seconds, in place of the dialect's place.
    pub retry_after: Option<String>,
}

impl Change {
    /// Nothing, for a dialect on its own.
    pub fn none(source: &Source) -> Self {
        Change {
            source: source.clone(),
            routines: BTreeMap::new(),
            pages: BTreeMap::new(),
            surfaces: Vec::new(),
            unsupported: BTreeMap::new(),
            not_implemented: Vec::new(),
            retry_after: None,
        }
    }
}

/// The routines that steps run: by their name, or to answer a page with a security key.
fn run_by(steps: &[Step]) -> impl Iterator<Item = &Spanned<String>> {
    steps.iter().filter_map(|step| match &step.deed {
        Deed::Routine { name, .. } => Some(name),
        Deed::Request(request) => request.by_key.as_ref(),
        Deed::Key(_) | Deed::Browse(_) => None,
    })
}

/// Where steps lead back to a routine, if they do.
fn leads_back<'a>(
    name: &str,
    steps: &'a [Step],
    routines: &'a [(Source, String, Vec<Step>)],
    seen: &mut Vec<&'a str>,
) -> Option<&'a Spanned<String>> {
    run_by(steps).find(|next| {
        if next.value == name {
            return true;
        }
        if seen.contains(&next.value.as_str()) {
            return false;
        }
        seen.push(&next.value);
        let next = routines.iter().find(|(_, known, _)| *known == next.value);
        next.is_some_and(|(_, _, steps)| leads_back(name, steps, routines, seen).is_some())
    })
}

/// Every routine that the steps run is one of the known.
fn know(source: &Source, steps: &[Step], known: &[String]) -> Result<(), FileError> {
    if let Some(name) = run_by(steps).find(|name| !known.contains(&name.value)) {
        let message = format!("no routine `{}`", name.value);
        return Err(source.wrong(name, message, Some(yaml::allowed(&name.value, known))));
    }
    steps.iter().try_for_each(|step| know(source, &step.undo, known))
}

/// One rule of the challenge recogniser.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recogniser {
    /// The answers it recognises.
    pub when: Predicate,
    /// Why stock clients cannot act on it; absent when they can.
    pub flaw: Option<String>,
    /// The clients that break on it.
    #[serde(default)]
    pub breaks: Vec<String>,
}
