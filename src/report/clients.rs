//! What real clients did, for all reports: a word for each case, and their own faults, apart from the registry's verdict.

use super::text::clean;
use crate::judge::Verdict;
use crate::result::{Asked, CaseResult, ClientSession, LimitKind, RunResult, Status};

/// The clients of a result, in its order.
pub fn of(result: &RunResult) -> Vec<&str> {
    let mut clients: Vec<&str> = Vec::new();
    for case in cases(result) {
        if !clients.contains(&case.client.as_str()) {
            clients.push(&case.client);
        }
    }
    clients
}

/// The cases that a real client performed, or could not express.
pub fn cases(result: &RunResult) -> impl Iterator<Item = &CaseResult> {
    result.cases.iter().chain(&result.observations).filter(|case| is_of_client(case))
}

/// Whether it is the client, and not the registry, for which it is unsupported.
pub fn is_of_clients_making(case: &CaseResult) -> bool {
    is_unspoken(case) || is_limited(case)
}

/// Whether a real client was to perform it.
pub fn is_of_client(case: &CaseResult) -> bool {
    case.situation.is_some()
}

/// What a case showed, in the words of a grid.
pub fn words(case: &CaseResult) -> String {
    let verdict = case.verdicts.first().map_or("not run", |verdict| verdict.word());
    match (case.status, &case.session) {
        (Status::Pass, Some(session)) => {
            let limited = if session.limits.is_empty() { "" } else { ", client-limit" };
            format!("{verdict} ({}{limited})", asked(session))
        }
        (Status::Skipped, _) => "not run".to_owned(),
        (Status::Unsupported, _) if is_unspoken(case) => "cannot express".to_owned(),
        (Status::Pass | Status::Fail | Status::Unsupported | Status::NotDescribed | Status::Error, _) => {
            verdict.to_owned()
        }
    }
}

fn asked(session: &ClientSession) -> &'static str {
    match session.asked {
        Asked::Nothing => "not asked",
        Asked::ForCode => "code",
        Asked::ForPage => "page",
        Asked::Beforehand => "code first",
    }
}

/// A letter for a case, and what it stands for; the later in [`LEGEND`], the more it says.
pub fn mark(case: &CaseResult) -> char {
    match (case.status, &case.session) {
        (Status::Fail, _) => '!',
        (Status::Error, _) => '?',
        (Status::Unsupported, _) if is_limited(case) => 'L',
        (Status::Skipped, _) => '.',
        (Status::Pass, Some(session)) => match session.asked {
            Asked::Nothing => 'n',
            Asked::ForCode => 'c',
            Asked::ForPage => 'p',
            Asked::Beforehand => 'f',
        },
        (Status::Unsupported, _) if is_unspoken(case) => '-',
        (Status::NotDescribed, _) => 'd',
        (Status::Pass | Status::Unsupported, _) => 'u',
    }
}

/// The letters of [`mark`], from the least that they say to the most.
pub const LEGEND: [(char, &str); 11] = [
    ('-', "the client cannot express it"),
    ('d', "the target file does not describe it"),
    ('u', "the registry has no such route"),
    ('.', "not run"),
    ('n', "as documented, nothing asked"),
    ('f', "as documented, the client asks for a code before it is asked"),
    ('c', "as documented, a code asked for"),
    ('p', "as documented, a page shown"),
    ('L', "client-limit"),
    ('?', "not judged"),
    ('!', "the registry deviates"),
];

/// Whether its client cannot express it.
fn is_unspoken(case: &CaseResult) -> bool {
    case.session.as_ref().is_some_and(|session| session.unspoken.is_some())
}

fn is_limited(case: &CaseResult) -> bool {
    case.verdicts.first() == Some(&Verdict::ClientLimit)
}

/// One of a client's own faults, and where it shows.
#[derive(Debug)]
pub struct Fault<'a> {
    /// The client.
    pub client: &'a str,
    /// What kind it is.
    pub kind: LimitKind,
    /// The rows and situations.
    pub places: Vec<String>,
    /// What was seen first.
    pub saw: &'a str,
}

/// All faults of clients, alike ones together.
pub fn faults(result: &RunResult) -> Vec<Fault<'_>> {
    let mut faults: Vec<Fault<'_>> = Vec::new();
    for case in cases(result) {
        for limit in case.session.iter().flat_map(|session| &session.limits) {
            let known = faults.iter().position(|known| known.client == limit.client && known.kind == limit.kind);
            let at = known.unwrap_or_else(|| {
                let (client, kind, saw) = (limit.client.as_str(), limit.kind, limit.saw.as_str());
                faults.push(Fault { client, kind, places: Vec::new(), saw });
                faults.len() - 1
            });
            let place = place(case);
            if !faults[at].places.contains(&place) {
                faults[at].places.push(place);
            }
        }
    }
    faults
}

/// Why rows cannot be expressed: the client, the reason, and the rows.
pub fn unspoken(result: &RunResult) -> Vec<(&str, &str, Vec<String>)> {
    let mut reasons: Vec<(&str, &str, Vec<String>)> = Vec::new();
    for case in cases(result) {
        let Some(reason) = case.session.as_ref().and_then(|session| session.unspoken.as_deref()) else { continue };
        let known = reasons.iter().position(|(client, known, _)| (*client, *known) == (case.client.as_str(), reason));
        let at = known.unwrap_or_else(|| {
            reasons.push((&case.client, reason, Vec::new()));
            reasons.len() - 1
        });
        let place = place(case);
        if !reasons[at].2.contains(&place) {
            reasons[at].2.push(place);
        }
    }
    reasons
}

/// A row and a situation.
fn place(case: &CaseResult) -> String {
    let surface = case.surface.as_ref().map(|surface| format!(":{surface}")).unwrap_or_default();
    let situation = case.situation.map(|situation| situation.name()).unwrap_or_default();
    clean(&format!("{}{surface} ({situation})", case.action))
}

/// The heading of [`differing`].
pub const DIFFERING: &str = "Verdicts that differ from the wire's";

/// What a client and the wire came to, in words.
pub fn both(case: &CaseResult, wire: &CaseResult) -> (String, &'static str) {
    (words(case), wire.verdicts.first().map_or("none", |verdict| verdict.word()))
}

/// Where a client and the wire come to different verdicts on one row, mode and factor: the client's case and the wire's.
pub fn differing(result: &RunResult) -> Vec<(&CaseResult, &CaseResult)> {
    let of_wire = |case: &&CaseResult| !is_of_client(case);
    let same = |one: &CaseResult, other: &CaseResult| {
        (&one.action, &one.surface, &one.mode, &one.factor)
            == (&other.action, &other.surface, &other.mode, &other.factor)
    };
    let judged = |case: &CaseResult| matches!(case.status, Status::Pass | Status::Fail);
    let says = |case: &CaseResult| case.verdicts.first().copied();
    let mut pairs = Vec::new();
    for case in result.cases.iter().filter(|case| is_of_client(case) && judged(case)) {
        let wire = result.cases.iter().filter(of_wire).find(|wire| same(case, wire) && judged(wire));
        pairs.extend(wire.filter(|wire| says(wire) != says(case)).map(|wire| (case, wire)));
    }
    pairs
}
