//! Commands that are more than one request, as one list of what is to be done.
//!
//! The steps of a surface and of the routines that it runs are laid out one after the other, and with them those of the
//! page that a security key answers, so that an [`super::errand`] is at one place in the list and nowhere else.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::Url;

use super::request::Connect;
use crate::dialect::headers::Command;
use crate::dialect::step::{Ceremony, Deed, Request, Step};
use crate::dialect::template::{Document, Template};
use crate::dialect::{Dialect, LeavesAccount, Surface};
use crate::table::{Factor, Mode};

/// The routine that answers the page of a challenge, and the one that fetches what the page has made.
const PAGE: &str = "authorise-by-key";
const COLLECT: &str = "collect-proof";

/// Where a step stands in the dialect.
#[derive(Debug, Clone, Copy)]
struct Spot {
    /// The steps of the command, or of a routine by its number.
    list: Option<usize>,
    at: usize,
}

#[derive(Debug, Clone, Copy)]
enum Op {
    Send(Spot),
    /// A security key does its part.
    Hold(Spot),
    /// A routine begins, and is left before this place.
    Enter(Spot, usize),
    Leave,
    /// The command, or the way through a page, is done.
    End,
}

/// What is to be done at a place of a script.
pub(super) enum Todo<'a> {
    /// A request is sent.
    Send(&'a Request),
    /// A security key does its part.
    Hold(&'a Ceremony),
    /// A routine begins, which reads these as `args`.
    Enter(&'a BTreeMap<String, Document>),
    /// A routine ends.
    Leave,
    /// The command, or the way through a page, is done.
    End,
}

/// A command, laid out.
#[derive(Debug)]
pub struct Script {
    pub(super) dialect: Arc<Dialect>,
    pub(super) base: Url,
    pub(super) connect: Connect,
    surface: usize,
    routines: Vec<String>,
    ops: Vec<Op>,
    /// Where the way through the page of a challenge begins, and where its proof is fetched.
    page: Result<(usize, usize), String>,
    by_key: BTreeMap<String, usize>,
}

impl Script {
    /// Lays out the command of a surface, or says why it cannot be sent as load.
    pub fn of(dialect: Arc<Dialect>, surface: &str, base: &Url, connect: Connect) -> Result<Script, String> {
        let cannot = |why: String| format!("`{surface}` cannot be sent as load: {why}");
        let known = Arc::clone(&dialect);
        let index = super::request::surface_of(&known, surface)?;
        let found = &known.surfaces[index];
        fits(found).map_err(cannot)?;
        let mut script = Script {
            dialect,
            base: base.clone(),
            connect,
            surface: index,
            routines: Vec::new(),
            ops: Vec::new(),
            page: Err(String::new()),
            by_key: BTreeMap::new(),
        };
        script.lay_out(&known, &found.perform, None).map_err(cannot)?;
        script.ops.push(Op::End);
        script.page = match &known.no_keys {
            Some(why) => Err(why.to_string()),
            None => script.entry(&known, PAGE).and_then(|page| Ok((page, script.entry(&known, COLLECT)?))),
        };
        // A page that asks for the factor itself has a way of its own through it.
        let own: Vec<String> =
            script.requests().filter_map(|request| Some(request.by_key.as_ref()?.value.clone())).collect();
        for name in own {
            if let Ok(entry) = script.entry(&known, &name) {
                script.by_key.insert(name, entry);
            }
        }
        Ok(script)
    }

    /// The surface whose command it is.
    pub fn surface(&self) -> &Surface {
        &self.dialect.surfaces[self.surface]
    }

    /// Why no security key can answer its challenges, where none can.
    pub fn without_keys(&self) -> Option<&str> {
        self.page.as_ref().err().map(String::as_str)
    }

    /// The requests of the command, of its pages and of what fetches their proofs.
    fn requests(&self) -> impl Iterator<Item = &Request> {
        (0..self.ops.len()).filter_map(|at| match self.todo(at)? {
            (Todo::Send(request), _) => Some(request),
            _ => None,
        })
    }

    /// The command that its requests belong to, which those that fetch a page's proof belong to as well.
    pub(super) fn command(&self) -> Option<&str> {
        self.requests().find_map(|request| match &request.command {
            Some(Command::Named(name)) => Some(name.as_str()),
            Some(Command::Same) | None => None,
        })
    }

    /// The method and path of the command's first request, for people, and how many may follow.
    pub fn shown(&self) -> String {
        let of_command = self.ops.iter().position(|op| matches!(op, Op::End)).unwrap_or_default();
        let mut requests = (0..of_command).filter_map(|at| match self.todo(at)? {
            (Todo::Send(request), _) => Some(format!("{} {}", request.line.method.name(), request.line.place)),
            _ => None,
        });
        let first = requests.next().unwrap_or_default();
        match requests.count() {
            0 => first,
            more => format!("{first}, and {more} more"),
        }
    }

    pub(super) fn page(&self) -> Option<(usize, usize)> {
        self.page.as_ref().ok().copied()
    }

    pub(super) fn by_key(&self, routine: &str) -> Option<usize> {
        self.by_key.get(routine).copied()
    }

    fn step(&self, Spot { list, at }: Spot) -> Option<&Step> {
        match list {
            None => self.surface().perform.get(at),
            Some(routine) => self.dialect.routines.get(self.routines.get(routine)?)?.get(at),
        }
    }

    /// What is to be done at a place, and under which condition. None beyond the end.
    pub(super) fn todo(&self, at: usize) -> Option<(Todo<'_>, Option<&Template>)> {
        let spot = match self.ops.get(at)? {
            Op::Send(spot) | Op::Hold(spot) | Op::Enter(spot, _) => *spot,
            Op::Leave => return Some((Todo::Leave, None)),
            Op::End => return Some((Todo::End, None)),
        };
        let step = self.step(spot)?;
        let todo = match &step.deed {
            Deed::Request(request) => Todo::Send(request),
            Deed::Key(ceremony) => Todo::Hold(ceremony),
            Deed::Routine { with, .. } => Todo::Enter(with),
            Deed::Browse(_) => return None,
        };
        Some((todo, step.when.as_ref()))
    }

    /// What follows a place whose condition does not hold.
    pub(super) fn beyond(&self, at: usize) -> usize {
        match self.ops.get(at) {
            Some(Op::Enter(_, leave)) => *leave,
            Some(Op::Send(_) | Op::Hold(_) | Op::Leave | Op::End) | None => at + 1,
        }
    }

    /// Lays out a routine on its own, and says where it begins.
    fn entry(&mut self, dialect: &Dialect, name: &str) -> Result<usize, String> {
        let steps = dialect.routines.get(name).ok_or_else(|| format!("no routine `{name}`"))?;
        let entry = self.ops.len();
        let list = Some(self.number(name));
        self.lay_out(dialect, steps, list)?;
        self.ops.push(Op::End);
        Ok(entry)
    }

    fn number(&mut self, routine: &str) -> usize {
        self.routines.push(routine.to_owned());
        self.routines.len() - 1
    }

    fn lay_out(&mut self, dialect: &Dialect, steps: &[Step], list: Option<usize>) -> Result<(), String> {
        for (at, step) in steps.iter().enumerate() {
            let spot = Spot { list, at };
            match &step.deed {
                Deed::Request(_) => self.ops.push(Op::Send(spot)),
                Deed::Key(_) => self.ops.push(Op::Hold(spot)),
                Deed::Browse(_) => return Err("it takes a browser".to_owned()),
                Deed::Routine { name, .. } => {
                    let entered = self.ops.len();
                    self.ops.push(Op::Leave);
                    let inner = dialect.routines.get(&name.value).map_or(&[][..], Vec::as_slice);
                    let number = self.number(&name.value);
                    self.lay_out(dialect, inner, Some(number))?;
                    self.ops.push(Op::Leave);
                    self.ops[entered] = Op::Enter(spot, self.ops.len());
                }
            }
        }
        Ok(())
    }
}

/// Whether the users of a load, who have codes in the mode `auth-and-writes`, can perform it.
pub(super) fn fits(surface: &Surface) -> Result<(), String> {
    if let Some(reason) = &surface.undriven {
        return Err(format!("this target cannot be driven there: {reason}"));
    }
    if surface.modes.as_ref().is_some_and(|modes| !modes.contains(&Mode::AuthAndWrites)) {
        return Err("it is for users in another mode than `auth-and-writes`".to_owned());
    }
    let with_codes = |factor: &Factor| matches!(factor, Factor::Totp | Factor::Both);
    if surface.factors.as_ref().is_some_and(|factors| !factors.iter().any(with_codes)) {
        return Err("it is for users with security keys alone".to_owned());
    }
    let names_session = surface.perform.iter().any(|step| match &step.deed {
        Deed::Request(request) => request.line.place.variables().contains("user.token"),
        Deed::Routine { .. } | Deed::Key(_) | Deed::Browse(_) => false,
    });
    if names_session {
        return Err("it ends the sessions that the users of a load have".to_owned());
    }
    Ok(())
}

/// Whether its users are not as they were after it.
pub fn changes_users(surface: &Surface) -> bool {
    match surface.leaves_account {
        LeavesAccount::AsItWas => false,
        LeavesAccount::Restored | LeavesAccount::UsedUp => true,
    }
}

/// Whether something is made or read before the command, or somebody else has to be there.
pub fn is_prepared(surface: &Surface) -> bool {
    !surface.prepare.is_empty() || !surface.before.is_empty() || surface.companion
}
