//! Templates whose variables have no source: a name that nothing fills in, such as `kept.tokn` where no step keeps it.

use std::collections::BTreeSet;

use crate::dialect::step::{Deed, Step};
use crate::dialect::template::Template;
use crate::dialect::{Dialect, Surface};
use crate::source::Source;
use crate::yaml::{self, FileError};

/// What every template can read.
const ALWAYS: [&str; 12] =
    ["user", "other", "origin", "base", "mode", "object", "args", "kept", "tick", "client", "proof", "tarball"];
/// What templates of a surface's `object` can read beside it.
const IN_OBJECTS: [&str; 3] = ["n", "name", "password"];
/// What the headers of other clients can read beside it.
const OF_CLIENTS: [&str; 2] = ["session", "proven"];
/// What is known of a user.
const OF_USERS: [&str; 6] = ["name", "password", "former", "first", "token", "lent"];
/// What the routines for pages are given as `args`.
const OF_PAGES: [&str; 2] = ["page", "done"];

/// What has a source in a dialect.
#[derive(Default)]
struct Known {
    objects: BTreeSet<String>,
    args: BTreeSet<String>,
    kept: BTreeSet<String>,
}

/// The findings in the templates of a file that belongs to this dialect.
pub(super) fn check(source: &Source, dialect: &Dialect) -> Vec<FileError> {
    let Ok(text) = source.text() else { return Vec::new() };
    let known = Known::of(dialect);
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#')) {
        let mut at = 0;
        while let Some((start, end)) = next(line, at) {
            at = end;
            // What does not parse has been refused by the reader.
            let Ok(template) = Template::parse(&line[start..end]) else { continue };
            let mut variables: Vec<String> = template.variables().into_iter().collect();
            variables.sort();
            for (message, hint) in variables.iter().filter_map(|variable| known.lacks(variable)) {
                let column = line[..start].chars().count() as u64 + 1;
                let at = (number as u64 + 1, column);
                let finding = FileError::at_place(&source.name(), &text, at, message, Some(hint));
                findings.push(finding);
            }
        }
    }
    findings
}

/// Where the next `{{ … }}` of a line begins and ends.
fn next(line: &str, from: usize) -> Option<(usize, usize)> {
    let start = from + line.get(from..)?.find("{{")?;
    let end = start + line.get(start..)?.find("}}")? + 2;
    Some((start, end))
}

impl Known {
    fn of(dialect: &Dialect) -> Self {
        let mut known = Known::default();
        known.args.extend(OF_PAGES.map(str::to_owned));
        for steps in dialect.routines.values() {
            known.learn(steps);
        }
        for surface in &dialect.surfaces {
            let Surface { object, prepare, before, perform, effect, .. } = surface;
            known.objects.extend(object.keys().cloned());
            for steps in [prepare, before, perform] {
                known.learn(steps);
            }
            for fact in effect {
                known.kept.extend(fact.read.request.keep.keys().chain(fact.read.request.count.keys()).cloned());
                known.learn(&fact.read.undo);
            }
        }
        // Each object has a name, whatever else it has.
        known.objects.insert("name".to_owned());
        known
    }

    fn learn(&mut self, steps: &[Step]) {
        for step in steps {
            match &step.deed {
                Deed::Routine { with, .. } => self.args.extend(with.keys().cloned()),
                Deed::Request(request) => self.kept.extend(request.keep.keys().chain(request.count.keys()).cloned()),
                Deed::Key(ceremony) => {
                    self.kept.insert(ceremony.to.clone());
                }
                Deed::Browse(page) => self.kept.extend(page.read.keys().cloned()),
            }
            self.learn(&step.undo);
        }
    }

    /// What is wrong with a variable, and a hint, where it has no source.
    fn lacks(&self, variable: &str) -> Option<(String, String)> {
        let mut parts = variable.split('.');
        let (root, member) = (parts.next().unwrap_or_default(), parts.next());
        let has = |set: &BTreeSet<String>| -> Vec<String> { set.iter().cloned().collect() };
        let (members, why) = match root {
            // In objects `user` is the user's name, which has no members.
            "user" | "other" => (OF_USERS.map(str::to_owned).to_vec(), "a user has no"),
            "object" => (has(&self.objects), "no surface has an object with"),
            "args" => (has(&self.args), "no routine is given"),
            "kept" => (has(&self.kept), "no step keeps"),
            root if ALWAYS.contains(&root) || IN_OBJECTS.contains(&root) || OF_CLIENTS.contains(&root) => return None,
            _ => {
                let message = format!("the variable `{root}` has no source");
                return Some((message, yaml::allowed(root, &[&ALWAYS[..], &IN_OBJECTS[..], &OF_CLIENTS[..]].concat())));
            }
        };
        let member = member?;
        if members.iter().any(|known| known == member) {
            return None;
        }
        let message = format!("the variable `{root}.{member}` has no source: {why} `{member}`");
        Some((message, yaml::allowed(member, &members)))
    }
}
