//! Seats: who sits where and performs the rows. A case of the wire becomes one in a script and one in a terminal for each
//! client.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::plan::{Case, Script};
use super::suite::Unready;
use crate::client::file::Packages;
use crate::client::{self, Client, Situation, home};
use crate::dialect::Dialect;
use crate::installed;
use crate::result::Standing;
use crate::table::Factor;

/// The name of our own client.
const WIRE: &str = "wire";

/// A client, and where it runs.
#[derive(Debug, Clone)]
pub struct Seat {
    /// The client.
    pub client: Arc<Client>,
    /// How it was named on the command line, or would be.
    pub named: String,
    /// Where it runs.
    pub situation: Situation,
}

impl Seat {
    /// How many commands it takes to show what a case is about, each with an object of its own. In a terminal one command
    /// is challenged and answered; a script ends with the challenge, and is run again with a code. A client that asks
    /// before it is asked is given a wrong code first.
    pub fn commands(&self, surface: &str, challenged: bool, factor: Factor) -> usize {
        let wrong = usize::from(self.asks_first(surface));
        match (self.situation, factor) {
            (Situation::Script, Factor::Totp) if challenged => 2 + wrong,
            (Situation::Terminal, Factor::Totp) if challenged => 1 + wrong,
            (Situation::Script | Situation::Terminal, _) => 1,
        }
    }

    /// Whether the client asks for a code before it sends anything.
    fn asks_first(&self, surface: &str) -> bool {
        self.client.row(surface, self.situation).is_ok_and(|row| row.asks_first)
    }
}

/// The cases with these clients in them: those of the wire, and the rows as each client performs them.
pub fn take(wire: Vec<Case>, dialect: &Dialect, clients: &[String]) -> Result<Vec<Case>, Unready> {
    let mut cases = Vec::new();
    let mut taken: Vec<String> = Vec::new();
    for named in clients.iter().filter(|named| *named != WIRE) {
        for client in client::find(named)? {
            if taken.contains(&client.name) {
                continue;
            }
            taken.push(client.name.clone());
            let named = if named == "all" { client.name.clone() } else { named.clone() };
            cases.extend(performed(&wire, dialect, &Arc::new(client), &named));
        }
    }
    Ok(if by_wire(clients) { [wire, cases].concat() } else { cases })
}

/// Whether the wire is among the clients.
pub fn by_wire(clients: &[String]) -> bool {
    clients.is_empty() || clients.iter().any(|named| named == WIRE)
}

/// The rows as a client performs them. Reads and other writes are among them where its file spells them. Accounts with
/// both factors are left to the wire: a client that is shown a page and one that types a code are two other cases.
fn performed(wire: &[Case], dialect: &Dialect, client: &Arc<Client>, named: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for case in wire {
        let Script::Row { surface, .. } = &case.script else { continue };
        let spelled = client.rows.contains_key(&dialect.surfaces[*surface].id());
        if case.factor == Factor::Both || (case.standing != Standing::Row && !spelled) {
            continue;
        }
        for situation in Situation::ALL {
            let seat = Seat { client: Arc::clone(client), named: named.to_owned(), situation };
            let row = case.id.strip_suffix(WIRE).unwrap_or(&case.id);
            let id = format!("{row}{}/{situation}", client.name);
            cases.push(Case { id, seat: Some(seat), ..case.clone() });
        }
    }
    cases
}

impl Case {
    /// Why its client cannot express it, where it cannot.
    pub fn unspoken(&self, dialect: &Dialect) -> Option<String> {
        let (Some(seat), Script::Row { surface, .. }) = (&self.seat, &self.script) else { return None };
        let surface = &dialect.surfaces[*surface];
        seat.client.row(&surface.id(), seat.situation).err()
    }
}

/// Installs the clients of the cases, unless they are there already, and says where the packages of each are. The error
/// names one that cannot be installed.
pub async fn install(cases: &[Case]) -> Result<BTreeMap<String, Vec<PathBuf>>, String> {
    let mut homes = BTreeMap::new();
    if cases.iter().any(|case| case.seat.is_some()) {
        home::is_clear()?;
    }
    for seat in cases.iter().filter_map(|case| case.seat.as_ref()) {
        let Client { name, packages, .. } = &*seat.client;
        if homes.contains_key(name) {
            continue;
        }
        let mut folders = Vec::new();
        for Packages { folder, manifest, lockfile } in packages {
            let home = installed::packages("clients", folder, manifest, lockfile).await;
            folders.push(home.map_err(|error| format!("client {name} cannot be installed: {error}"))?);
        }
        homes.insert(name.clone(), folders);
    }
    Ok(homes)
}
