//! In a terminal: prompts are read and answered as a person does it, and pages are opened.

use super::{BARE, CODE, MOST_CODES, PAGE, Sat, Showed, WRONG, Worth, telling};
use crate::check::keys::Offer;
use crate::check::play::Play;
use crate::check::recorded::{Mark, Weighed};
use crate::check::scene::{Conduct, Ended, Mistake};
use crate::client::file::{Prompt, Reply};
use crate::client::process::{Ending, Next, Terminal};
use crate::dialect::step::{Deed, Step};
use crate::dialect::template::Template;
use crate::judge::Outcome;
use crate::result::{Asked, LimitKind};
use crate::table::Factor;

impl Play<'_> {
    /// Runs a command in a terminal, and does what a person does there who has a code of this worth.
    pub(super) async fn terminal(
        &mut self,
        sat: &Sat<'_>,
        worth: Option<Worth>,
        showed: &mut Showed,
    ) -> Result<(), Mistake> {
        let worth = worth.unwrap_or(Worth::Right);
        showed.asked = false;
        let variables = self.seen_by_client(sat, None);
        let arguments: Vec<&Template> = sat.row.run.iter().collect();
        let prepared = self.prepared(sat, &arguments, &variables)?;
        let mut terminal = Terminal::open(prepared.command, sat.client.patience, self.scene.place().await)?;
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
                    let weighed = self.weigh(sat, &mut mark, showed)?;
                    settled = settled.or(Some(weighed).filter(|weighed| weighed.complete));
                    let code = self.scene.code().await?;
                    self.scene.carried.push(code.clone());
                    terminal.types(code.reveal(), sat.client.moment).await;
                }
                Reply::Code => {
                    if codes == 0 {
                        let weighed = self.weigh(sat, &mut mark, showed)?;
                        self.challenged_in_terminal(sat, weighed, Asked::ForCode, showed).await?;
                    }
                    codes += 1;
                    if worth == Worth::Wrong && codes > 1 {
                        // It asks once more, which says that the wrong one was refused.
                        break terminal.give_up().await;
                    }
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
                    let code = self.code_worth(worth).await?;
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
        // Others may have its place.
        drop(terminal);
        let rest = self.weigh(sat, &mut mark, showed)?;
        let weighed = match settled {
            Some(settled) => settled.followed_by(rest),
            None => rest,
        };
        self.told(sat, &prepared.arguments, &ending);
        self.ended_in_terminal(sat, weighed, (&ending, worth), showed).await
    }

    /// The client asks for a second factor: what it was answered until then is seen, and that nothing has happened yet.
    async fn challenged_in_terminal(
        &mut self,
        sat: &Sat<'_>,
        weighed: Weighed,
        asked: Asked,
        showed: &mut Showed,
    ) -> Result<(), Mistake> {
        showed.asked = true;
        if weighed.ended.is_none() {
            showed.beforehand = true;
            if !sat.row.asks_first {
                self.limit(sat, LimitKind::AskedFirst, "nothing had been sent that could be challenged");
            }
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
        let weighed = self.weigh(sat, mark, showed)?;
        let challenged = matches!(&weighed.ended, Some(Ended { outcome: Outcome::Challenged { .. }, .. }));
        if !challenged {
            // Nobody was challenged, so the page is the action's own.
            return self.logged_in_on_page(sat, page, weighed, showed).await;
        }
        // The client asks for the proof of the page from now on, and must not get it yet.
        if let Some(done) = self.scene.offered.as_ref().map(|offer| offer.done.clone()) {
            showed.unearned |= self.scene.handed_out(&sat.proxy, 0, &done).await.is_some();
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
        // Where the page has handed out a session all the same, the client has it with its next request.
        let seen = sat.proxy.recorded().len();
        if let Some(done) = self.scene.kept.get("done").and_then(|done| done.as_str()).map(str::to_owned)
            && let Some(token) = self.scene.handed_out(&sat.proxy, seen, &done).await
        {
            self.scene.kept.insert("token".to_owned(), token);
        }
        let exchanges = [weighed.exchanges, std::mem::take(&mut self.scene.exchanges)].concat();
        let bare = self.performed(sat.at, BARE, ended, exchanges);
        let challenged = matches!(bare.outcome(), Outcome::Challenged { .. });
        showed.asked = true;
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
        (ending, worth): (&Ending, Worth),
        showed: &mut Showed,
    ) -> Result<(), Mistake> {
        // A log-in on a page begins with a request that succeeds; what counts is the page, and that its token is fetched.
        let of_page = self.scene.kept.contains_key("done");
        let proven = showed.asked;
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
            _ if worth == Worth::Wrong => WRONG,
            Factor::SecurityKey => PAGE,
            Factor::None | Factor::Totp | Factor::Both => CODE,
        };
        if !proven {
            self.look_for_page(sat, &weighed, showed);
        }
        if self.case.factor == Factor::Totp {
            self.is_fresh(proven.then_some(worth), &outcome)?;
        }
        let seen = self.saw(sat, probe, weighed).await?;
        self.scene.user.confirmed |= proven && worth == Worth::Right && seen.outcome == Outcome::Accepted;
        *match (proven, worth) {
            (false, _) => &mut showed.bare,
            (true, Worth::Wrong) => &mut showed.wrong,
            (true, Worth::Right) => &mut showed.right,
        } = Some(seen);
        Ok(())
    }
}
