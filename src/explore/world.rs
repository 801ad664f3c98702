//! What sequences are made of: the rows and reads of the table, and the surfaces that a target has for them.

use crate::result::Standing;
use crate::table::{Factor, Mode, Table};
use crate::target::Target;

/// Everything that a model may know.
#[derive(Debug, Clone)]
pub struct World {
    /// The ways to act, in the table's order.
    pub doors: Vec<Door>,
    /// Surfaces that are left out of the sequences, each with the reason.
    pub left_out: Vec<(String, String)>,
    /// Whether a session can be had anew with name and password.
    pub logs_in: bool,
}

/// One way to perform one action.
#[derive(Debug, Clone)]
pub struct Door {
    /// The surface's id.
    pub id: String,
    /// The document's label of the action.
    pub label: String,
    /// Its command.
    pub command: String,
    /// Whether it is a row or a read.
    pub standing: Standing,
    /// What success makes of the user.
    pub makes: Makes,
    /// The clause for each mode, in the order of [`Mode::ALL`]; absent where the action makes no sense.
    pub clauses: [Option<Clause>; 3],
}

/// What a table says of an action in a mode.
#[derive(Debug, Clone)]
pub struct Clause {
    /// Whether the action is challenged.
    pub challenged: bool,
    /// Where that is said.
    pub cite: String,
}

/// What an action makes of the user who performs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Makes {
    /// Nothing that matters to later steps.
    Nothing,
    /// The other mode of the two with a factor.
    OtherMode,
    /// No factor.
    Disabled,
    /// Another password, and perhaps an end of its sessions.
    OtherPassword,
}

impl Door {
    /// What is said of it in a mode.
    pub fn clause(&self, mode: Mode) -> Option<&Clause> {
        self.clauses[mode as usize].as_ref()
    }
}

impl World {
    /// The world of a target. What it lacks, and what it is known to do differently, has no place in the sequences.
    pub fn of(table: &Table, target: &Target) -> World {
        let mut world = World { doors: Vec::new(), left_out: Vec::new(), logs_in: false };
        let rows = table.auth_and_writes.iter().map(|row| (Standing::Row, row));
        for (standing, row) in rows.chain(table.reads.iter().map(|row| (Standing::Read, row))) {
            for surface in target.dialect.surfaces.iter().filter(|surface| surface.action == row.action) {
                let id = surface.id();
                if let Some(reason) = surface.undriven.as_ref().map(ToString::to_string).or_else(|| known(target, &id))
                {
                    world.left_out.push((id, reason));
                    continue;
                }
                let apt = |mode| surface.modes.as_ref().is_none_or(|modes| modes.contains(&mode));
                // To enable a factor is an act of its own; a companion has no part in these sequences.
                if surface.companion || !apt(Mode::AuthOnly) {
                    continue;
                }
                let clauses = Mode::ALL.map(|mode| apt(mode).then(|| clause(table, mode, &row.action)));
                world.logs_in |= id == "login";
                world.doors.push(Door {
                    makes: makes(&id),
                    id,
                    label: row.label.clone(),
                    command: row.command.clone(),
                    standing,
                    clauses,
                });
            }
        }
        world
    }

    /// The same without these doors, each with the reason.
    #[must_use]
    pub fn without(mut self, lacking: Vec<(String, String)>) -> World {
        self.doors.retain(|door| lacking.iter().all(|(id, _)| *id != door.id));
        self.left_out.extend(lacking);
        self.logs_in = self.doors.iter().any(|door| door.id == "login");
        self
    }
}

fn makes(surface: &str) -> Makes {
    match surface {
        "mode-change" => Makes::OtherMode,
        "disable-2fa" => Makes::Disabled,
        "profile-set:password" => Makes::OtherPassword,
        _ => Makes::Nothing,
    }
}

fn clause(table: &Table, mode: Mode, action: &str) -> Clause {
    let source = format!("{}, revision {}", table.source, table.revision);
    match table.row(mode, action) {
        Some(row) => Clause { challenged: true, cite: format!("{source}: table {mode}, row \"{}\"", row.label) },
        None => Clause { challenged: false, cite: format!("{source}: no row of table {mode} names this action") },
    }
}

/// Why a surface would deviate or disturb in any case, by the target's own file.
fn known(target: &Target, surface: &str) -> Option<String> {
    let factor = |mode| if mode == Mode::Disabled { Factor::None } else { Factor::Totp };
    let ids = Mode::ALL.map(|mode| format!("{mode}/{surface}/{}/wire", factor(mode)));
    let listed = target.deviations.iter().find(|deviation| {
        globset::Glob::new(&deviation.case).is_ok_and(|glob| ids.iter().any(|id| glob.compile_matcher().is_match(id)))
    });
    let left_out = || target.left_out.iter().find(|(glob, _)| ids.iter().any(|id| glob.is_match(id)));
    let known = listed.map(|deviation| format!("known to deviate ({}): {}", deviation.verdict, deviation.reason));
    known.or_else(|| left_out().map(|(_, reason)| reason.clone()))
}
