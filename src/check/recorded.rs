//! What a proxy recorded, as the checker reads it: what the registry answered a client's writes, and the evidence.

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use serde_json::Value as Json;

use super::scene::{Ended, Mistake, Scene};
use super::sitting::shapes::traits;
use super::writing::each_address;
use crate::client::proxy::{Proxy, Recorded};
use crate::dialect::predicate::Answer;
use crate::dialect::step::{Deed, Step};
use crate::dialect::{Asked, Surface};
use crate::judge::Outcome;
use crate::result::Shape;
use crate::secret::{Secret, SecretKind, tickets};
use crate::wire::{Exchange, shorten};

/// Headers whose values are secrets, beside the one in which a proof travels.
const SECRET_HEADERS: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "set-cookie"];

/// The header by which clients say that they can open a page, and what it says then.
const OPENS_PAGES: (&str, &str) = ("npm-auth-type", "web");

/// What a client's requests were answered.
#[derive(Debug)]
pub(super) struct Weighed {
    /// How the command ended for the registry: with its first challenge, or else with its last write. Absent where nothing
    /// was written.
    pub ended: Option<Ended>,
    /// Whether all of the surface's own requests have succeeded by now.
    pub complete: bool,
    /// How the first read was challenged. No table asks for that, whatever the command is.
    pub challenged_read: Option<Ended>,
    /// How the first read ended to which there was no usable answer.
    pub failed_read: Option<Ended>,
    /// Whether a write carried a proof.
    pub proven: bool,
    /// Whether a write was accepted with a proof, whatever became of the others.
    pub proof_accepted: bool,
    /// Whether a write was challenged though it carried a proof with which an earlier one was accepted.
    pub spent_on_another: bool,
    /// Whether the challenged request said that its client can open a page.
    pub opens_pages: bool,
    /// How the last attempt to fetch what a page has made ended, where it was turned away.
    pub poll: Option<Ended>,
    /// The shape of what the writes were answered.
    pub shape: Shape,
    /// The evidence.
    pub exchanges: Vec<Exchange>,
}

impl Weighed {
    /// What has been settled, with the evidence of what followed.
    pub fn followed_by(mut self, rest: Weighed) -> Self {
        self.exchanges.extend(rest.exchanges);
        self
    }
}

/// How far a recording has been read.
#[derive(Debug, Default)]
pub(super) struct Mark {
    /// So many requests have been.
    requests: usize,
    /// So many of the surface's own requests have been found, and succeeded.
    done: usize,
}

/// Where the surface's own requests are among the recorded ones.
struct Trail<'r> {
    recorded: &'r [Recorded],
    /// The first that can be the next step's.
    next: usize,
    /// How many steps have been looked for.
    step: usize,
    /// Those that were found, and how they ended.
    known: Vec<(usize, Ended)>,
}

impl Scene {
    /// Says what the requests recorded since the mark were answered, learns from them what the surface's own steps would
    /// have kept, and moves the mark behind them.
    pub(super) fn weigh(&mut self, surface: &Surface, proxy: &Proxy, mark: &mut Mark) -> Result<Weighed, Mistake> {
        let before = proxy.recorded();
        let recorded = before.get(mark.requests..).unwrap_or_default();
        mark.requests = before.len();
        for one in recorded {
            self.gather(one);
        }
        let mut trail = Trail { recorded, next: 0, step: 0, known: Vec::new() };
        self.follow(&surface.perform, &mut trail, mark)?;
        let (mut known, complete) = (trail.known, trail.step > 0 && mark.done == trail.step);
        // What a client sends beyond its command says nothing of it.
        let last_own = known.iter().map(|(number, _)| *number).max().filter(|_| complete);
        let fetched: Vec<String> = before.iter().filter_map(|one| self.yields(one)).collect();
        let (mut challenged, mut last, mut poll, mut opens_pages) = (None, None, None, false);
        let (mut proven, mut accepted_proof, mut spent_on_another) = (false, None, false);
        let (mut failed_read, mut challenged_read, mut shape) = (None, None, Shape::default());
        for (number, one) in
            recorded.iter().enumerate().filter(|(number, _)| last_own.is_none_or(|last| *number <= last))
        {
            if fetched.contains(&path(&one.place)) {
                self.fetch(one);
                poll = turned_away(one);
                continue;
            }
            let writes = !matches!(one.method.as_str(), "GET" | "HEAD" | "OPTIONS");
            let at = known.iter().position(|(of, _)| *of == number);
            let ended = match (at, &one.answer) {
                (Some(at), _) => known.swap_remove(at).1,
                (None, Ok(answer)) => self.meaning(Asked::default(), answer, &line(one))?,
                (None, Err(fault)) => Ended { outcome: Outcome::Failed, saw: format!("{}: {fault}", line(one)) },
            };
            let is_challenge = matches!(ended.outcome, Outcome::Challenged { .. });
            let proof =
                one.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(&self.stage.dialect.proof_header));
            if writes {
                proven |= proof.is_some();
                spent_on_another |= is_challenge && proof.is_some() && proof == accepted_proof;
                accepted_proof = accepted_proof.or(proof.filter(|_| ended.outcome == Outcome::Accepted));
            }
            if is_challenge {
                if let Ok(answer) = &one.answer {
                    self.offered = self.offer(answer);
                }
                opens_pages |= one.headers.iter().any(|(name, value)| (name.as_str(), value.as_str()) == OPENS_PAGES);
                if shape.challenge.is_empty() && (writes || at.is_some()) {
                    shape.challenge = traits(one.answer.as_ref().ok());
                }
                // What a challenged read is answered with is no answer to the write.
                let slot = if writes || at.is_some() { &mut challenged } else { &mut challenged_read };
                *slot = slot.take().or(Some(ended));
            } else if writes {
                shape.answer = traits(one.answer.as_ref().ok());
                last = Some(ended);
            } else if matches!(ended.outcome, Outcome::Failed | Outcome::Throttled) {
                failed_read = failed_read.or(Some(ended));
            }
        }
        let exchanges = recorded.iter().map(|one| self.evidence(one)).collect();
        Ok(Weighed {
            ended: challenged.or(last),
            complete,
            challenged_read,
            failed_read,
            proven,
            proof_accepted: accepted_proof.is_some(),
            spent_on_another,
            opens_pages,
            poll,
            shape,
            exchanges,
        })
    }

    /// Finds the requests of steps among the recorded ones, in their order, and digests their answers.
    fn follow(&mut self, steps: &[Step], trail: &mut Trail<'_>, mark: &mut Mark) -> Result<(), Mistake> {
        let dialect = Arc::clone(&self.stage.dialect);
        for step in steps {
            match &step.deed {
                Deed::Routine { name, with } => {
                    let args = self.fill_all(with)?;
                    let before = std::mem::replace(&mut self.args, args);
                    let routine = dialect.routines.get(&name.value).map(Vec::as_slice).unwrap_or_default();
                    let followed = self.follow(routine, trail, mark);
                    self.args = before;
                    followed?;
                }
                Deed::Request(request) => {
                    trail.step += 1;
                    // A place that names what was never kept has not been sent.
                    let Ok(place) = request.line.place.text(&self.variables(None, false)) else { continue };
                    let (method, place) = (request.line.method.name(), path(&place));
                    let is_it = |one: &Recorded| one.method == method && same(&path(&one.place), &place);
                    let found = trail.recorded.iter().rposition(is_it).filter(|number| *number >= trail.next);
                    // One that has succeeded is not sent again: what looks like it is a later one.
                    let Some(number) = found.filter(|_| trail.step > mark.done) else { continue };
                    trail.next = number + 1;
                    let one = &trail.recorded[number];
                    let evidence = vec![self.evidence(one)];
                    let before = std::mem::replace(&mut self.exchanges, evidence);
                    let ended = self.digest(request, &step.undo, one.answer.as_ref().ok());
                    self.exchanges = before;
                    let ended = ended?;
                    if ended.outcome == Outcome::Accepted {
                        mark.done = trail.step;
                    }
                    trail.known.push((number, ended));
                }
                Deed::Key(_) | Deed::Browse(_) => {}
            }
        }
        Ok(())
    }

    /// Where the proof or token of a page is fetched that this answer names.
    fn yields(&self, one: &Recorded) -> Option<String> {
        let json = one.answer.as_ref().ok()?.json.as_ref()?;
        json.pointer(&self.stage.dialect.web_challenge.done)?.as_str().map(path)
    }

    /// What the client's next attempt to fetch what a page makes is answered, where that is it.
    pub(super) async fn handed_out(&self, proxy: &Proxy, seen: usize, done: &str) -> Option<Json> {
        let place = path(done);
        let polls = proxy.request_after(seen, |one| path(&one.place) == place);
        let answer = polls.await?.answer.ok().filter(|answer| answer.status == 200)?;
        answer.json.as_ref()?.pointer("/token").cloned()
    }

    /// Keeps the token of a log-in that a client has fetched.
    fn fetch(&mut self, one: &Recorded) {
        let token = one.answer.as_ref().ok().filter(|answer| answer.status == 200);
        let token = token.and_then(|answer| answer.json.as_ref()?.pointer("/token").cloned());
        // A log-in keeps where its token is fetched; a challenge keeps nothing.
        if let Some(token) = token.filter(|_| self.kept.contains_key("done")) {
            self.kept.insert("token".to_owned(), token);
        }
    }

    /// Notes the secrets that crossed the wire, so that no report shows what the client showed of them.
    fn gather(&mut self, one: &Recorded) {
        let sent = serde_json::from_slice::<Json>(&one.body).ok();
        let received = one.answer.as_ref().ok().and_then(|answer| answer.json.as_ref());
        let mut found = Vec::new();
        for json in sent.iter().chain(received) {
            secrets(json, &self.stage.dialect.secret_members, false, &mut found);
        }
        for (_, value) in one.headers.iter().filter(|(name, _)| self.is_secret(name)) {
            found.extend(value.split_once(' ').map_or(Some(value.as_str()), |(_, rest)| Some(rest)).map(str::to_owned));
        }
        let found = found.into_iter().filter(|value| value.len() > 3);
        let mut found: Vec<Secret> = found.map(|value| Secret::new(SecretKind::Token, value)).collect();
        // The client shows the addresses of pages, which are as good as a password.
        let names = &self.stage.dialect.address_members;
        each_address(&mut received.cloned().unwrap_or_default(), names, &mut |address| found.extend(tickets(address)));
        for secret in found {
            if !self.carried.iter().any(|known| known.reveal() == secret.reveal()) {
                self.carried.push(secret);
            }
        }
    }

    fn is_secret(&self, header: &str) -> bool {
        header.eq_ignore_ascii_case(&self.stage.dialect.proof_header)
            || SECRET_HEADERS.iter().any(|known| header.eq_ignore_ascii_case(known))
    }

    /// An exchange as a report may show it.
    fn evidence(&self, one: &Recorded) -> Exchange {
        let shown = |headers: &[(String, String)]| -> Vec<(String, String)> {
            let value = |name: &str, value: &str| match value.split_once(' ') {
                _ if !self.is_secret(name) => self.hide(value),
                Some((scheme, _)) if name.eq_ignore_ascii_case("authorization") => format!("{scheme} ‹hidden›"),
                _ => "‹hidden›".to_owned(),
            };
            headers.iter().map(|(name, text)| (name.clone(), value(name, text))).collect()
        };
        let answer = one.answer.as_ref().ok();
        let text = |bytes: &[u8]| shorten(&self.hide(&String::from_utf8_lossy(bytes)));
        Exchange {
            request: self.hide(&line(one)),
            headers: shown(&one.headers),
            body: (!one.body.is_empty()).then(|| text(&one.body)),
            status: answer.map(|answer| answer.status),
            answer_headers: answer.map(|answer| shown(&answer.headers)).unwrap_or_default(),
            answer_body: answer.map(|answer: &Answer| text(&answer.body)),
            fault: one.answer.as_ref().err().map(ToString::to_string),
            fault_kind: one.answer.as_ref().err().map(|fault| fault.kind),
            elapsed_us: u64::try_from(one.elapsed.as_micros()).unwrap_or(u64::MAX),
        }
    }
}

/// What came of an attempt to fetch what a page has made, where that was neither it nor a request for patience.
fn turned_away(one: &Recorded) -> Option<Ended> {
    let saw = match &one.answer {
        Ok(answer) if matches!(answer.status, 200 | 202) => return None,
        Ok(answer) => answer.status.to_string(),
        Err(fault) => fault.to_string(),
    };
    let saw = format!("{} → {saw}, and what the page has made cannot be fetched", line(one));
    // The page itself may have done all that it must, so nothing is said of the second factor.
    Some(Ended { outcome: Outcome::Failed, saw })
}

fn line(one: &Recorded) -> String {
    format!("{} {}", one.method, one.place)
}

/// The path of a place: of an address as well, without its query, its escapes undone.
fn path(place: &str) -> String {
    let place = match place.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => place,
    };
    let end = place.find('?').unwrap_or(place.len());
    percent_decode_str(&place[..end]).decode_utf8_lossy().into_owned()
}

/// Whether two paths are one, whatever revision they name; the registry's own path may stand before the first.
fn same(sent: &str, known: &str) -> bool {
    let bare = |path: &str| path.split_once("/-rev/").map_or(path, |(path, _)| path).to_owned();
    bare(sent).ends_with(&bare(known)) && sent.contains("/-rev/") == known.contains("/-rev/")
}

/// The values of secret members, whatever they hold, and the secret within an authenticator's address.
fn secrets(json: &Json, names: &[String], within: bool, found: &mut Vec<String>) {
    match json {
        Json::String(text) if within => {
            if let Some((_, query)) = text.split_once("otpauth://").and_then(|(_, rest)| rest.split_once('?')) {
                let pairs = form_urlencoded::parse(query.as_bytes());
                found.extend(pairs.filter(|(name, _)| name == "secret").map(|(_, value)| value.into_owned()));
            }
            found.push(text.clone());
        }
        Json::Array(items) => items.iter().for_each(|item| secrets(item, names, within, found)),
        Json::Object(members) => {
            for (name, value) in members {
                // An object below a secret name says more than secrets, such as a mode.
                secrets(value, names, names.contains(name), found);
            }
        }
        Json::String(_) | Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_the_same_however_it_is_written() {
        assert_eq!(path("http://127.0.0.1:1/npm/@a%2fb?write=true"), "/npm/@a/b");
        assert!(same(&path("/-/package/%40a%2Fb/access"), &path("/-/package/@a%2fb/access")));
        assert!(same("/npm/a/-rev/2", "/a/-rev/undefined"));
        assert!(!same("/a", "/a/-rev/1") && !same("/b", "/a"));
    }

    #[test]
    fn secrets_are_found_below_their_names() {
        let json = serde_json::json!({
            "tfa": ["code-1", "code-2"], "token": "t", "name": "n",
            "deep": { "tfa": "otpauth://totp/a?secret=ABC&issuer=x" }, "other": { "tfa": { "mode": "auth-only" } },
        });
        let mut found = Vec::new();
        secrets(&json, &["tfa".to_owned(), "token".to_owned()], false, &mut found);
        assert_eq!(found, ["code-1", "code-2", "t", "ABC", "otpauth://totp/a?secret=ABC&issuer=x"]);
    }
}
