//! Sittings: a real client performs a case, in a script or in a terminal.
//!
//! What the registry did is told by what a proxy recorded and by reads over the wire, never by the client's words, and is
//! judged as every case is. What the client did itself, and could not do, is kept apart from it in the case's session.

use std::path::PathBuf;
use std::sync::Arc;

use minijinja::Value;

use super::keys::Offer;
use super::play::{Play, Played};
use super::recorded::{Mark, Weighed};
use super::scene::{Conduct, Ended, Mistake};
use super::seat::Seat;
use crate::client::file::{Prompt, Reply, Row};
use crate::client::home::Home;
use crate::client::process::{self, Ending, Next, Terminal};
use crate::client::proxy::Proxy;
use crate::client::{Client, Situation};
use crate::dialect::step::{Deed, Step};
use crate::dialect::template::Template;
use crate::dialect::{Fact, Surface};
use crate::judge::{Asks, Effect, Expectation, Must, Observation, Outcome, Seen, Verdict, judge, judge_attempts};
use crate::result::{Asked, ClientCommand, ClientLimit, ClientSession, LimitKind, quoted};
use crate::secret::Secret;
use crate::table::Factor;
use crate::wire::shorten;

/// How often one command is given a code.
const MOST_CODES: u32 = 3;

/// What is tried without a second factor, and with one.
const BARE: (&str, &str) = ("bare", "none");
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

/// What was seen of the registry while a client performed an action.
#[derive(Default)]
struct Showed {
    bare: Option<Seen>,
    right: Option<Seen>,
    /// Whether the client has asked before it sent anything.
    beforehand: bool,
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
        match seat.situation {
            Situation::Script => {
                let sat = self.seat_one((&client, row), (surface, facts)).await?;
                self.script(&sat, None, &mut showed).await?;
                let turned_away = showed
                    .bare
                    .as_ref()
                    .is_some_and(|bare| bare.outcome != Outcome::Accepted || bare.effect == Effect::NotApplied);
                let asked = expectation == Some(Expectation::Challenged) && self.case.factor == Factor::Totp;
                let hung = self.session.iter().flat_map(|session| &session.commands).any(|command| command.hung);
                if asked && !hung && (turned_away || showed.bare.is_none()) {
                    let code = self.scene.lasting_code().await?;
                    let sat = self.seat_one((&client, row), (surface, facts)).await?;
                    self.script(&sat, Some(code), &mut showed).await?;
                }
            }
            Situation::Terminal => {
                let sat = self.seat_one((&client, row), (surface, facts)).await?;
                self.terminal(&sat, &mut showed).await?;
            }
        }
        let verdicts = self.weigh_up(seat, expectation, &showed);
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
        let through = last.is_some_and(|seen| seen.outcome == Outcome::Accepted && seen.effect != Effect::NotApplied);
        if let Some(session) = session {
            session.through = through;
            let words =
                session.limits.iter().map(|limit| format!("{} {}: {}", limit.client, limit.kind.words(), limit.saw));
            self.statements.extend(words);
        }
        let verdicts = match (expectation, &showed.bare, &showed.right) {
            (Some(expectation), Some(bare), right) => {
                let observation = Observation { right: right.clone(), ..Observation::bare(bare.clone()) };
                judge(expectation, self.case.factor, &observation)
            }
            // It asked before it was asked, so only what became of the proof can be seen.
            (Some(Expectation::Challenged), None, Some(right)) => {
                judge_attempts(&[(Must::Succeed { proven: true }, right.clone())])
            }
            (Some(_) | None, None, _) => return vec![Verdict::ClientLimit],
            (None, Some(bare), _) => super::play::unobserved(&bare.outcome).into_iter().collect(),
        };
        let mut verdicts = verdicts;
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

    /// Everything that a command needs: its object, a proxy and a home.
    async fn seat_one<'s>(
        &mut self,
        (client, row): (&'s Client, &'s Row),
        (surface, facts): (&'s Surface, &'s [Fact]),
    ) -> Result<Sat<'s>, Mistake> {
        let (at, before) = self.begin_next().await?;
        if matches!(before.outcome, Outcome::Failed | Outcome::Throttled) {
            return Err(format!("what has to be read before the command could not be: {}", before.saw));
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
        Ok(sat)
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

    /// Runs a command as a script does.
    async fn script(&mut self, sat: &Sat<'_>, code: Option<Secret>, showed: &mut Showed) -> Result<(), Mistake> {
        let (mut arguments, carried) = (sat.row.run.iter().collect::<Vec<_>>(), code.is_some());
        if let Some(code) = &code {
            arguments.extend(&sat.client.say_code);
            self.scene.carried.push(code.clone());
        }
        let variables = self.seen_by_client(sat, code.as_ref());
        let prepared = sat.home.prepare(sat.client, self.installed(sat.client)?, &arguments, &variables)?;
        let piped = sat.row.piped.as_ref().map(|line| line.text(&variables)).transpose();
        let piped = piped.map_err(|error| error.to_string())?.map(|line| format!("{line}\n"));
        let ending = process::script(prepared.command, piped, sat.client.patience).await?;
        let weighed = self.scene.weigh(sat.surface, &sat.proxy, &mut Mark::default())?;
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
        let seen = self.saw(sat, if carried { CODE } else { BARE }, weighed).await?;
        if carried {
            self.scene.user.confirmed |= seen.outcome == Outcome::Accepted;
        }
        *if carried { &mut showed.right } else { &mut showed.bare } = seen.into();
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

    /// Runs a command in a terminal, and does what a person does there.
    async fn terminal(&mut self, sat: &Sat<'_>, showed: &mut Showed) -> Result<(), Mistake> {
        let variables = self.seen_by_client(sat, None);
        let arguments: Vec<&Template> = sat.row.run.iter().collect();
        let prepared = sat.home.prepare(sat.client, self.installed(sat.client)?, &arguments, &variables)?;
        let mut terminal = Terminal::open(prepared.command, sat.client.patience).await?;
        let (mut mark, mut codes) = (Mark::default(), 0);
        // What the command was answered, once its own requests have all succeeded: what follows is no part of it.
        let mut settled = None;
        let ending = loop {
            let (number, group) = match terminal.next(&sat.client.prompts).await? {
                Next::Ended(ending) => break ending,
                Next::Prompt(number, group) => (number, group),
            };
            let Some(Prompt { reply, .. }) = sat.client.prompts.get(number) else { continue };
            match reply {
                Reply::Type(line) => {
                    let line = line.text(&self.seen_by_client(sat, None)).map_err(|error| error.to_string())?;
                    terminal.types(&line, sat.client.moment).await;
                }
                Reply::Confirmation => {
                    // The secret is in what has just been answered.
                    let weighed = self.scene.weigh(sat.surface, &sat.proxy, &mut mark)?;
                    settled = settled.or(Some(weighed).filter(|weighed| weighed.complete));
                    let code = self.scene.code().await?;
                    self.scene.carried.push(code.clone());
                    terminal.types(code.reveal(), sat.client.moment).await;
                }
                Reply::Code => {
                    if codes == 0 {
                        let weighed = self.scene.weigh(sat.surface, &sat.proxy, &mut mark)?;
                        self.challenged_in_terminal(sat, weighed, Asked::ForCode, showed).await?;
                    }
                    codes += 1;
                    if codes > MOST_CODES || self.scene.user.ledger.is_none() {
                        if showed.beforehand {
                            self.limit(
                                sat,
                                LimitKind::NoPage,
                                "it asks for a code before it is told what is asked for",
                            );
                        } else if !showed.no_page && codes <= MOST_CODES {
                            showed.unanswered = Some("a code was asked of who has none".to_owned());
                        }
                        break terminal.give_up().await;
                    }
                    let code = self.scene.lasting_code().await?;
                    self.scene.carried.push(code.clone());
                    terminal.types(code.reveal(), sat.client.moment).await;
                }
                Reply::Page => {
                    let Some(address) = group else { continue };
                    let page = sat.proxy.direct(&address);
                    if !self.sent_to_page(sat, &mut mark, &page, showed).await? {
                        break terminal.give_up().await;
                    }
                }
            }
        };
        let rest = self.scene.weigh(sat.surface, &sat.proxy, &mut mark)?;
        let weighed = match settled {
            Some(settled) => settled.followed_by(rest),
            None => rest,
        };
        self.told(sat, &prepared.arguments, &ending);
        self.ended_in_terminal(sat, weighed, &ending, showed).await
    }

    /// The client asks for a second factor: what it was answered until then is seen, and that nothing has happened yet.
    async fn challenged_in_terminal(
        &mut self,
        sat: &Sat<'_>,
        weighed: Weighed,
        asked: Asked,
        showed: &mut Showed,
    ) -> Result<(), Mistake> {
        if weighed.ended.is_none() {
            showed.beforehand = true;
            self.asks(Asked::Beforehand);
            return Ok(());
        }
        self.asks(asked);
        self.look_for_page(sat, &weighed, showed);
        showed.bare = Some(self.saw(sat, BARE, weighed).await?);
        Ok(())
    }

    /// Does a person's part on a page that the client has shown. Whether the client may go on.
    async fn sent_to_page(
        &mut self,
        sat: &Sat<'_>,
        mark: &mut Mark,
        page: &str,
        showed: &mut Showed,
    ) -> Result<bool, Mistake> {
        let weighed = self.scene.weigh(sat.surface, &sat.proxy, mark)?;
        let challenged = matches!(&weighed.ended, Some(Ended { outcome: Outcome::Challenged { .. }, .. }));
        if !challenged {
            // Nobody was challenged, so the page is the action's own.
            return self.logged_in_on_page(sat, page, weighed, showed).await;
        }
        self.challenged_in_terminal(sat, weighed, Asked::ForPage, showed).await?;
        if self.scene.user.key.is_none() {
            showed.unanswered = Some("the target file does not describe how a page takes a code".to_owned());
            return Ok(false);
        }
        let offer = Offer { page: page.to_owned(), done: String::new() };
        let ended = self.scene.on_page("authorise-by-key", &offer).await?;
        let done = ended.outcome == Outcome::Accepted;
        showed.by_page = Some(ended).filter(|_| !done);
        Ok(done)
    }

    /// The page is the action's own, and asks for the second factor itself: it is answered without one first.
    async fn logged_in_on_page(
        &mut self,
        sat: &Sat<'_>,
        page: &str,
        weighed: Weighed,
        showed: &mut Showed,
    ) -> Result<bool, Mistake> {
        self.scene.kept.insert("page".to_owned(), page.into());
        // What the client has sent is the first step; the others are the person's.
        let own: fn(&Step) -> bool = |step| matches!(step.deed, Deed::Routine { .. });
        let Some(at) = sat.surface.perform.iter().position(own) else {
            return Err(format!("{} shows a page where none belongs: {page}", sat.client.name));
        };
        let steps = &sat.surface.perform[at..];
        let ended = self.scene.perform(steps, &Conduct::Bare).await?;
        if ended.outcome == Outcome::Accepted {
            showed.by_page = Some(ended);
            return Ok(true);
        }
        let exchanges = [weighed.exchanges, std::mem::take(&mut self.scene.exchanges)].concat();
        let bare = self.performed(sat.at, BARE, ended, exchanges);
        let challenged = matches!(bare.outcome(), Outcome::Challenged { .. });
        showed.bare = Some(self.read_back_by(bare, sat.facts).await?);
        let conduct = match self.case.factor {
            Factor::SecurityKey if challenged => Conduct::ByKey,
            Factor::Totp | Factor::Both if challenged => Conduct::Proof(self.scene.lasting_code().await?),
            Factor::None | Factor::SecurityKey | Factor::Totp | Factor::Both => {
                showed.unanswered = Some("the page refuses who has given name and password".to_owned());
                return Ok(false);
            }
        };
        self.asks(Asked::ForPage);
        let ended = self.scene.perform(steps, &conduct).await?;
        let done = ended.outcome == Outcome::Accepted;
        showed.by_page = Some(ended);
        Ok(done)
    }

    /// The command has ended: what it was answered since it was challenged, or all along, is seen.
    async fn ended_in_terminal(
        &mut self,
        sat: &Sat<'_>,
        mut weighed: Weighed,
        ending: &Ending,
        showed: &mut Showed,
    ) -> Result<(), Mistake> {
        // A log-in on a page begins with a request that succeeds; what counts is the page, and that its token is fetched.
        let of_page = self.scene.kept.contains_key("done");
        let proven = showed.bare.is_some() || showed.beforehand;
        let fetched = self.scene.kept.contains_key("token");
        let turned_away = weighed.poll.take().filter(|_| of_page || weighed.ended.is_none());
        match (showed.by_page.take(), turned_away) {
            (Some(ended), _) if ended.outcome != Outcome::Accepted => weighed.ended = Some(ended),
            (_, Some(poll)) => weighed.ended = Some(poll),
            (Some(ended), None) if fetched || ending.hung => weighed.ended = Some(ended),
            (by_page, None) if of_page && !fetched => {
                let kind = if by_page.is_some() { LimitKind::FailureTold } else { LimitKind::NoPage };
                if !ending.given_up && !ending.hung {
                    self.limit(sat, kind, &telling(&ending.shown));
                }
                return Ok(());
            }
            (_, None) => {}
        }
        if ending.given_up && showed.unanswered.is_some() {
            return Ok(());
        }
        let Some(outcome) = weighed.ended.as_ref().map(|ended| ended.outcome.clone()) else {
            return self.nothing_sent(sat, weighed, ending, showed).await;
        };
        if proven && weighed.spent_on_another {
            self.limit(sat, LimitKind::CodeSentAgain, "the first write was accepted, a later one challenged");
            return Ok(());
        }
        self.held_against(sat, &outcome, ending);
        if !proven && matches!(outcome, Outcome::Challenged { flaw: None, .. }) && !ending.hung {
            self.limit(sat, LimitKind::NotAsked, &telling(&ending.shown));
        }
        let probe = match self.case.factor {
            _ if !proven => BARE,
            Factor::SecurityKey => PAGE,
            Factor::None | Factor::Totp | Factor::Both => CODE,
        };
        if !proven {
            self.look_for_page(sat, &weighed, showed);
        }
        let seen = self.saw(sat, probe, weighed).await?;
        self.scene.user.confirmed |= proven && seen.outcome == Outcome::Accepted;
        *if proven { &mut showed.right } else { &mut showed.bare } = Some(seen);
        Ok(())
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

    /// Records a probe, and reads its effect over the wire.
    async fn saw(&mut self, sat: &Sat<'_>, probe: (&str, &str), weighed: Weighed) -> Result<Seen, Mistake> {
        let ended = weighed.ended.ok_or("nothing was sent that could be seen")?;
        let sent = self.performed(sat.at, probe, ended, weighed.exchanges);
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
        let limit = ClientLimit { client: sat.client.name.clone(), kind, saw: shorten(&self.scene.hide(saw)) };
        if let Some(session) = self.session.as_mut().filter(|session| !session.limits.contains(&limit)) {
            session.limits.push(limit);
        }
    }

    fn installed(&self, client: &Client) -> Result<&[PathBuf], Mistake> {
        let home = self.run.clients.get(&client.name).ok_or_else(|| format!("{} is not installed", client.name))?;
        Ok(home)
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
