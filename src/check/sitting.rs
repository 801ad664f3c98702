//! Sittings: a real client performs a case, in a script or in a terminal.
//!
//! What the registry did is told by what a proxy recorded and by reads over the wire, never by the client's words, and is
//! judged as every case is. What the client did itself, and could not do, is kept apart from it in the case's session.

pub(super) mod shapes;
mod terminal;

use std::sync::Arc;
use std::time::Duration;

use minijinja::Value;

use super::late::Moment;
use super::plan::Script;
use super::play::{Play, Played};
use super::recorded::{Mark, Weighed};
use super::scene::{Ended, Mistake};
use super::seat::Seat;
use crate::client::file::Row;
use crate::client::home::{Home, Prepared};
use crate::client::process::{self, Ending};
use crate::client::proxy::Proxy;
use crate::client::{Client, Situation};
use crate::dialect::template::Template;
use crate::dialect::{Fact, Surface};
use crate::judge::{Asks, Expectation, Must, Observation, Outcome, Seen, Verdict, judge, judge_attempts, worst_first};
use crate::result::{Asked, ClientCommand, ClientLimit, ClientSession, LimitKind, Status, quoted};
use crate::secret::Secret;
use crate::table::Factor;
use crate::wire::shorten;

/// How often one command is given a code.
const MOST_CODES: u32 = 3;

/// How long a client may take from its start until it has sent a code.
const START: Duration = Duration::from_secs(10);

/// What is tried without a second factor, and with one.
const BARE: (&str, &str) = ("bare", "none");
const WRONG: (&str, &str) = ("wrong", "wrong code");
const CODE: (&str, &str) = ("right", "valid code");
const PAGE: (&str, &str) = ("right", "valid assertion");

/// One command that is about to run, on one object.
struct Sat<'s> {
    client: &'s Client,
    row: &'s Row,
    surface: &'s Surface,
    facts: &'s [Fact],
    at: usize,
    proxy: Proxy,
    home: Home,
}

/// What a code is worth that a command is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Worth {
    Wrong,
    Right,
}

/// What was seen of the registry while a client performed an action.
#[derive(Default)]
struct Showed {
    bare: Option<Seen>,
    wrong: Option<Seen>,
    right: Option<Seen>,
    /// Whether the present command has asked for a second factor.
    asked: bool,
    /// Whether a command has asked before it sent anything.
    beforehand: bool,
    /// How a read was challenged, which none must be.
    challenged_read: Option<String>,
    /// Whether what a page makes was handed out before the page was answered.
    unearned: bool,
    /// How a page that was answered ended.
    by_page: Option<Ended>,
    /// Why what was asked could not be answered, which says nothing of the registry.
    unanswered: Option<String>,
    /// Whether a challenge asked for what the client could not have been asked for otherwise: it opens no pages.
    no_page: bool,
}

impl Play<'_> {
    /// Lets a real client perform the case.
    pub(super) async fn sit(
        &mut self,
        seat: &Seat,
        surface: &Surface,
        expectation: Option<Expectation>,
    ) -> Result<Played, Mistake> {
        let client = Arc::clone(&seat.client);
        let row = client.row(&surface.id(), seat.situation)?;
        let facts = row.effect.as_deref().unwrap_or(&surface.effect);
        self.session = Some(ClientSession::default());
        let mut showed = Showed::default();
        // Who is to be challenged and has codes gives one; of a client that asks before it is asked, a wrong one first.
        let asked = expectation == Some(Expectation::Challenged) && self.case.factor == Factor::Totp;
        let (first, second) = match seat.situation {
            Situation::Script => (None, asked.then_some(Worth::Right)),
            Situation::Terminal if asked && row.asks_first => (Some(Worth::Wrong), Some(Worth::Right)),
            Situation::Terminal => (Some(Worth::Right), None),
        };
        let mut attempts = vec![first];
        if seat.situation == Situation::Script && asked && row.asks_first {
            attempts.push(Some(Worth::Wrong));
        }
        attempts.extend(second.map(Some));
        let (mut unread, mut failed) = (None, Ok(()));
        for worth in attempts {
            failed = match self.seat_one((&client, row), (surface, facts)).await {
                Ok(Ok(sat)) => match seat.situation {
                    Situation::Script => self.script(&sat, worth, &mut showed).await,
                    Situation::Terminal => self.terminal(&sat, worth, &mut showed).await,
                },
                Ok(Err(before)) => {
                    let saw = before.saw.clone();
                    unread = Some(before);
                    Err(saw)
                }
                Err(mistake) => Err(mistake),
            };
            if failed.is_err() {
                break;
            }
            let hung = self.session.iter().flat_map(|session| &session.commands).any(|command| command.hung);
            let through = |seen: &Seen| seen.outcome == Outcome::Accepted && !seen.effect.is_unseen();
            if hung || [&showed.bare, &showed.wrong].into_iter().flatten().any(through) {
                break;
            }
        }
        self.look_again(Moment::End).await?;
        self.settle([&mut showed.bare, &mut showed.wrong, &mut showed.right].into_iter().flatten());
        let is_targets = self.hold_against_reference(seat, &surface.id()) && showed.unanswered.is_none();
        let verdicts = shapes::blamed(self.weigh_up(seat, expectation, &showed), is_targets);
        if let Some(before) = unread.filter(|_| Status::of(&verdicts) != Status::Fail) {
            return Ok(Played::SetUpFailed(before));
        }
        if failed.is_err() {
            return self.stands(verdicts, failed);
        }
        let cut_short = verdicts == [Verdict::Exact] && !self.answered(seat, expectation, &showed);
        Ok(match (verdicts.as_slice(), showed.unanswered) {
            ([Verdict::Exact | Verdict::ClientLimit], Some(reason)) => Played::Inconclusive(reason),
            _ if cut_short => return Err("the command ended before it was answered, and nothing tells why".to_owned()),
            _ => Played::Judged(verdicts),
        })
    }

    /// The registry's verdicts, or that the client could not do its part.
    fn weigh_up(&mut self, seat: &Seat, expectation: Option<Expectation>, showed: &Showed) -> Vec<Verdict> {
        let session = self.session.as_mut();
        let limited = session.as_ref().is_some_and(|session| !session.limits.is_empty());
        let last = showed.right.as_ref().or(showed.bare.as_ref());
        let through = last.is_some_and(|seen| seen.outcome == Outcome::Accepted && !seen.effect.is_unseen());
        if let Some(session) = session {
            session.through = through;
            let words = session.limits.iter().map(|limit| {
                let fares = limit.on_reference.map(|fares| format!("; {}", fares.words())).unwrap_or_default();
                format!("{} {}: {}{fares}", limit.client, limit.kind.words(), limit.saw)
            });
            self.statements.extend(words);
        }
        let Showed { wrong, right, .. } = showed;
        self.statements.extend(showed.challenged_read.clone());
        let mut verdicts = match (expectation, &showed.bare) {
            (Some(expectation), Some(bare)) => {
                let (wrong, right) = (wrong.clone(), right.clone());
                judge(expectation, self.case.factor, &Observation { wrong, right, ..Observation::bare(bare.clone()) })
            }
            // It asked before it was asked, so what became of its codes is all that can be seen.
            (Some(Expectation::Challenged), None) => {
                let refused = Must::BeRefused { otherwise: Verdict::WrongProofAccepted };
                let attempts = [(refused, wrong), (Must::Succeed { proven: true }, right)];
                let seen = attempts.into_iter().filter_map(|(must, seen)| Some((must, seen.clone()?)));
                match judge_attempts(&seen.collect::<Vec<_>>()) {
                    verdicts if wrong.is_none() && verdicts == [Verdict::Exact] => vec![Verdict::ClientLimit],
                    verdicts => verdicts,
                }
            }
            (Some(Expectation::Unchallenged) | None, None) => vec![Verdict::ClientLimit],
            (None, Some(bare)) => super::play::unobserved(&bare.outcome).into_iter().collect(),
        };
        if !self.verdicts.is_empty() {
            verdicts = worst_first([verdicts, self.verdicts.clone()].concat());
        }
        if showed.unearned {
            verdicts = worst_first([verdicts, vec![Verdict::WrongProofAccepted]].concat());
        }
        if showed.challenged_read.is_some() {
            verdicts = worst_first([verdicts, vec![Verdict::UnexpectedChallenge]].concat());
        }
        if showed.no_page {
            // The registry had no other way to ask.
            verdicts.retain(|verdict| *verdict != Verdict::WrongFactorOffered);
            if verdicts.is_empty() {
                return vec![Verdict::ClientLimit];
            }
        }
        let short = verdicts == [Verdict::Exact] && !self.answered(seat, expectation, showed);
        if short && limited { vec![Verdict::ClientLimit] } else { verdicts }
    }

    /// Whether everything was seen that the case is about.
    fn answered(&self, seat: &Seat, expectation: Option<Expectation>, showed: &Showed) -> bool {
        showed.right.is_some()
            || expectation != Some(Expectation::Challenged)
            // Nobody is there who could touch a key.
            || (seat.situation == Situation::Script && self.case.factor == Factor::SecurityKey)
    }

    /// Everything that a command needs: its object, a proxy and a home. The inner error is how what has to be read before
    /// the command ended, where it could not be.
    async fn seat_one<'s>(
        &mut self,
        (client, row): (&'s Client, &'s Row),
        (surface, facts): (&'s Surface, &'s [Fact]),
    ) -> Result<Result<Sat<'s>, Ended>, Mistake> {
        let (at, before) = self.begin_next(facts).await?;
        if matches!(before.outcome, Outcome::Failed | Outcome::Throttled) {
            return Ok(Err(before));
        }
        let proxy = Proxy::open(&self.scene.stage.wire).await?;
        let sat = Sat { client, row, surface, facts, at, proxy, home: Home::new()? };
        let variables = self.seen_by_client(&sat, None);
        sat.home.furnish(client, row, &variables)?;
        if let Some(tarball) = &row.tarball {
            let text = |template: &Template| template.text(&variables).map_err(|error| error.to_string());
            let archive = crate::dialect::template::archive(&text(&tarball.name)?, &text(&tarball.version)?);
            sat.home.write("package.tgz", &archive.map_err(|error| error.to_string())?)?;
        }
        Ok(Ok(sat))
    }

    /// What the templates of a client file read.
    fn seen_by_client(&self, sat: &Sat<'_>, code: Option<&Secret>) -> Value {
        let registry = sat.proxy.base.clone();
        let registry_key = format!("{}/", registry.trim_start_matches("http:"));
        minijinja::context! {
            registry,
            registry_key,
            home => sat.home.path().display().to_string(),
            code => code.map(Secret::reveal).unwrap_or_default(),
            ..self.scene.variables(None, false)
        }
    }

    /// A code of this worth, which a command is given.
    async fn code_worth(&mut self, worth: Worth) -> Result<Secret, Mistake> {
        let code = match worth {
            Worth::Wrong => self.scene.wrong_code(),
            Worth::Right => self.scene.lasting_code().await?,
        };
        self.scene.carried.push(code.clone());
        Ok(code)
    }

    /// Runs a command as a script does, with a code or without.
    async fn script(&mut self, sat: &Sat<'_>, worth: Option<Worth>, showed: &mut Showed) -> Result<(), Mistake> {
        let mut arguments = sat.row.run.iter().collect::<Vec<_>>();
        let carried = worth.is_some();
        let mut code = None;
        if let Some(worth) = worth {
            arguments.extend(&sat.client.say_code);
            code = Some(self.code_worth(worth).await?);
        }
        let mut place = self.scene.place().await;
        // While the command waited for its turn the code has aged, and the client takes a while to send it.
        for _ in 0..MOST_CODES {
            if worth != Some(Worth::Right) || self.scene.code_lives_for(START) {
                break;
            }
            drop(place);
            code = Some(self.code_worth(Worth::Right).await?);
            place = self.scene.place().await;
        }
        let variables = self.seen_by_client(sat, code.as_ref());
        let prepared = self.prepared(sat, &arguments, &variables)?;
        let piped = sat.row.piped.as_ref().map(|line| line.text(&variables)).transpose();
        let piped = piped.map_err(|error| error.to_string())?.map(|line| format!("{line}\n"));
        let ending = process::script(prepared.command, piped, sat.client.patience, place).await?;
        let weighed = self.weigh(sat, &mut Mark::default(), showed)?;
        self.told(sat, &prepared.arguments, &ending);
        let Some(outcome) = weighed.ended.as_ref().map(|ended| ended.outcome.clone()) else {
            return self.nothing_sent(sat, weighed, &ending, showed).await;
        };
        if !carried && self.says_challenge(sat, &ending) {
            self.asks(Asked::ForCode);
        }
        self.held_against(sat, &outcome, &ending);
        if carried && !weighed.proven {
            self.limit(sat, LimitKind::CodeNotSent, &telling(&ending.shown));
            return Ok(());
        }
        if carried && weighed.spent_on_another {
            self.limit(sat, LimitKind::CodeSentAgain, "the first write was accepted, a later one challenged");
            return Ok(());
        }
        if !carried {
            self.look_for_page(sat, &weighed, showed);
        }
        self.is_fresh(worth, &outcome)?;
        let probe = match worth {
            None => BARE,
            Some(Worth::Wrong) => WRONG,
            Some(Worth::Right) => CODE,
        };
        let seen = self.saw(sat, probe, weighed).await?;
        self.scene.user.confirmed |= worth == Some(Worth::Right) && seen.outcome == Outcome::Accepted;
        *match worth {
            None => &mut showed.bare,
            Some(Worth::Wrong) => &mut showed.wrong,
            Some(Worth::Right) => &mut showed.right,
        } = Some(seen);
        Ok(())
    }

    /// The refusal of a code that aged out under way says nothing of it.
    fn is_fresh(&self, worth: Option<Worth>, outcome: &Outcome) -> Result<(), Mistake> {
        if worth == Some(Worth::Right) && *outcome != Outcome::Accepted && !self.scene.code_is_live() {
            return Err("the code aged out before the client had sent it and was answered".to_owned());
        }
        Ok(())
    }

    /// Notes whether a user with a security key alone was asked for a code because the client opens no pages.
    fn look_for_page(&mut self, sat: &Sat<'_>, weighed: &Weighed, showed: &mut Showed) {
        let asks = weighed.ended.as_ref().map(|ended| &ended.outcome);
        let for_code = matches!(asks, Some(Outcome::Challenged { asks: Asks::ForCode, .. }));
        if for_code && self.case.factor == Factor::SecurityKey && !weighed.opens_pages {
            showed.no_page = true;
            self.limit(sat, LimitKind::NoPage, "the challenged request does not say that it can open one");
        }
    }

    /// Holds what a client tells against what it was answered. Whoever could not recognise a challenge of another shape
    /// than the stock one is not at fault.
    fn held_against(&mut self, sat: &Sat<'_>, outcome: &Outcome, ending: &Ending) {
        let saw = telling(&ending.shown);
        match outcome {
            _ if ending.hung || ending.given_up => {}
            Outcome::Challenged { .. } if ending.code == Some(0) => {
                self.limit(sat, LimitKind::SuccessTold, &saw);
            }
            Outcome::Challenged { flaw: None, .. } if !self.says_challenge(sat, ending) => {
                self.limit(sat, LimitKind::ChallengeHidden, &saw);
            }
            Outcome::Accepted if ending.code != Some(0) => self.limit(sat, LimitKind::FailureTold, &saw),
            Outcome::Refused if ending.code == Some(0) => self.limit(sat, LimitKind::SuccessTold, &saw),
            Outcome::Challenged { .. }
            | Outcome::Accepted
            | Outcome::Refused
            | Outcome::NotImplemented
            | Outcome::Throttled
            | Outcome::Failed => {}
        }
    }

    fn says_challenge(&self, sat: &Sat<'_>, ending: &Ending) -> bool {
        sat.client.tells_challenge.is_match(&ending.shown)
    }

    /// The client has sent no write. Where it could not read what it needs, that is the registry's.
    async fn nothing_sent(
        &mut self,
        sat: &Sat<'_>,
        mut weighed: Weighed,
        ending: &Ending,
        showed: &mut Showed,
    ) -> Result<(), Mistake> {
        if let Some(failed) = weighed.failed_read.take() {
            weighed.ended = Some(failed);
            let seen = self.saw(sat, BARE, weighed).await?;
            *if showed.bare.is_some() { &mut showed.right } else { &mut showed.bare } = Some(seen);
            return Ok(());
        }
        let kind = if showed.bare.is_some() { LimitKind::CodeNotSent } else { LimitKind::NothingSent };
        if !ending.hung && !ending.given_up {
            self.limit(sat, kind, &telling(&ending.shown));
        }
        Ok(())
    }

    /// Says what the requests since the mark were answered. A challenged read is noted, and where nothing was written it is
    /// what the command came to.
    fn weigh(&mut self, sat: &Sat<'_>, mark: &mut Mark, showed: &mut Showed) -> Result<Weighed, Mistake> {
        let mut weighed = self.scene.weigh(sat.surface, &sat.proxy, mark)?;
        if let Some(session) = &mut self.session {
            session.shape.followed_by(std::mem::take(&mut weighed.shape));
        }
        if let Some(read) = weighed.challenged_read.take() {
            showed.challenged_read.get_or_insert_with(|| read.saw.clone());
            weighed.ended = weighed.ended.or(Some(read));
        }
        if weighed.proof_accepted {
            self.was_worked_on(sat.at);
        }
        Ok(weighed)
    }

    /// Records a probe, and reads its effect over the wire.
    async fn saw(&mut self, sat: &Sat<'_>, probe: (&str, &str), weighed: Weighed) -> Result<Seen, Mistake> {
        let ended = weighed.ended.ok_or("nothing was sent that could be seen")?;
        let must_ask = matches!(&self.case.script, Script::Row { expectation: Some(Expectation::Challenged), .. });
        self.if_done = match probe {
            WRONG => Some(Verdict::WrongProofAccepted),
            BARE if must_ask => Some(Verdict::EffectBeforeFactor),
            _ => None,
        };
        // What was read before, and what a person did on a page, came first.
        let exchanges = [std::mem::take(&mut self.scene.exchanges), weighed.exchanges].concat();
        let mut sent = self.performed(sat.at, probe, ended, exchanges);
        if matches!(sent.outcome(), Outcome::Challenged { .. }) {
            sent = self.asked_for_key_alone(sent).await?;
        }
        self.read_back_by(sent, sat.facts).await
    }

    fn asks(&mut self, asked: Asked) {
        if let Some(session) = &mut self.session {
            session.asked = asked;
        }
    }

    /// Keeps how a command ended, without the secrets that it has shown.
    fn told(&mut self, sat: &Sat<'_>, arguments: &[String], ending: &Ending) {
        if ending.hung {
            let saw = format!("ended after {} s", sat.client.patience.as_secs());
            self.limit(sat, LimitKind::Hung, &saw);
        }
        let words: Vec<String> = arguments.iter().map(|word| quoted(&self.scene.hide(word))).collect();
        let program = sat.client.name.split('@').next().unwrap_or_default();
        let command = ClientCommand {
            line: format!("{program} {}", words.join(" ")),
            exit: ending.code,
            hung: ending.hung,
            transcript: shorten(&self.scene.hide(&without_pictures(&ending.shown))),
            elapsed_ms: u64::try_from(ending.elapsed.as_millis()).unwrap_or(u64::MAX),
        };
        if let Some(session) = &mut self.session {
            session.commands.push(command);
        }
    }

    fn limit(&mut self, sat: &Sat<'_>, kind: LimitKind, saw: &str) {
        let limit = ClientLimit {
            client: sat.client.name.clone(),
            kind,
            saw: shorten(&self.scene.hide(saw)),
            on_reference: None,
        };
        if let Some(session) = self.session.as_mut().filter(|session| !session.limits.contains(&limit)) {
            session.limits.push(limit);
        }
    }

    /// A command that can be run.
    fn prepared(&self, sat: &Sat<'_>, arguments: &[&Template], variables: &Value) -> Result<Prepared, Mistake> {
        let name = &sat.client.name;
        let installed = self.run.clients.get(name).ok_or_else(|| format!("{name} is not installed"))?;
        sat.home.prepare(sat.client, installed, arguments, variables, &sat.proxy.origin())
    }
}

/// What tells most of how a command ended: its first line that speaks of an error, or else its last.
fn telling(shown: &str) -> String {
    let said = || shown.lines().map(str::trim).filter(|line| !line.is_empty());
    let of_error = |line: &&str| ["error", "ERR!", "ERR_", "Error"].iter().any(|word| line.contains(word));
    said().find(of_error).or(said().next_back()).unwrap_or("it says nothing").to_owned()
}

/// A text without pictures: that of an authenticator's secret is the secret. Without colours some are blank.
fn without_pictures(shown: &str) -> String {
    let drawn = |letter: char| ('\u{2580}'..='\u{259f}').contains(&letter);
    let lines = shown.lines().filter(|line| !line.contains(drawn) && (line.is_empty() || !line.trim().is_empty()));
    lines.collect::<Vec<_>>().join("\n")
}
