//! The errands of a shard: arrivals that are more than one request, sent one after the other as their answers come.
//!
//! They are timed as one, from when the arrival was due to the last answer. What is in between waits for a free line like
//! everything else.

use reqwest::Url;

use super::{Desk, Flight, Leg, Line, Lines, Waiting, planned};
use crate::load::answer::Reply;
use crate::load::errand::{Around, Companion, Errand, Next, Prepared};
use crate::load::fate::Fate;
use crate::load::keychain::Keychain;
use crate::load::mix::Kind;
use crate::load::preparing;
use crate::load::roster::Part;
use crate::load::script::Script;

/// The number of an errand under way.
pub(super) type Number = u32;

/// What is sent as errands.
#[derive(Debug)]
pub struct Sent {
    /// The command.
    pub script: Script,
    /// Which kinds.
    pub sort: Sort,
    /// What each user works on, where that was prepared.
    pub prepared: Vec<Prepared>,
    /// Whom some commands name.
    pub other: Option<Companion>,
}

/// Which kinds are sent as errands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// Those by security key: all others are one request, or two.
    Keys,
    /// All.
    All,
}

impl Sent {
    pub(super) fn takes(&self, kind: Kind) -> bool {
        match self.sort {
            Sort::Keys => kind == Kind::Key,
            Sort::All => true,
        }
    }
}

/// Those under way.
#[derive(Debug)]
pub(super) struct Errands {
    under_way: Vec<Option<Box<Errand>>>,
    vacant: Vec<Number>,
    keys: Option<Keychain>,
}

impl Errands {
    pub(super) fn new(sent: Option<&Sent>) -> Self {
        let keys = sent.map(|sent| Keychain::new(sent.script.base()));
        Errands { under_way: Vec::new(), vacant: Vec::new(), keys }
    }

    fn begin(&mut self, errand: Box<Errand>) -> Number {
        if let Some(number) = self.vacant.pop()
            && let Some(place) = self.under_way.get_mut(number as usize)
        {
            *place = Some(errand);
            return number;
        }
        self.under_way.push(Some(errand));
        Number::try_from(self.under_way.len() - 1).unwrap_or(Number::MAX)
    }

    /// Ends an errand.
    pub(super) fn end(&mut self, number: Number) -> Option<Box<Errand>> {
        let ended = self.under_way.get_mut(number as usize)?.take()?;
        self.vacant.push(number);
        Some(ended)
    }
}

impl Desk {
    /// Those who have rested wait for a line again.
    pub(super) fn wake(&mut self, now: u64) {
        while let Some(entry) = self.resting.first_entry() {
            if entry.key().0 > now {
                return;
            }
            let waiting = entry.remove();
            self.waiting.push_back(Waiting { since: now, ..waiting });
        }
    }

    /// Does something with an errand, what it needs at hand.
    fn with<T>(&mut self, number: Number, now: u64, deed: impl FnOnce(&mut Errand, &mut Around<'_>) -> T) -> Option<T> {
        let step = self.step(now);
        let sent = self.brief.errands.as_deref()?;
        let errand = self.errands.under_way.get_mut(number as usize)?.as_mut()?;
        let keys = self.errands.keys.as_mut()?;
        let Sent { script, other, .. } = sent;
        let mut around = Around { script, users: &self.brief.users, other: other.as_ref(), keys, step };
        Some(deed(errand, &mut around))
    }

    /// An arrival sets out on its errand.
    pub(super) fn set_out(&mut self, waiting: Waiting, part: Part, line: Line, now: u64, lines: &mut impl Lines) {
        let Some(sent) = self.brief.errands.as_deref() else { return };
        self.serial += 1;
        let users = &self.brief.users;
        let prepared = match sent.prepared.get(part.user as usize) {
            Some(prepared) => prepared.clone(),
            None => {
                let name = format!("su-load-{}-{}", users.name(part.user), self.serial);
                let object = preparing::object(sent.script.surface(), &name, &users.name(part.user), self.serial);
                Prepared { object: object.unwrap_or_default(), ..Prepared::default() }
            }
        };
        let mut errand = Errand::new(waiting.kind, part.user, self.serial, prepared);
        let mut recovery = Vec::new();
        let code = planned(users, &users.papers(part.user), part, self.brief.reach, &mut recovery);
        match &code {
            Some(code) => errand.prove(code),
            None if !recovery.is_empty() => errand.prove(&recovery),
            None => {}
        }
        errand.plan(part);
        let number = self.errands.begin(Box::new(errand));
        let waiting = Waiting { leg: Leg::Errand(number), ..waiting };
        match self.with(number, now, Errand::set_out) {
            Some(Next::Send) => self.send_errand(number, waiting, line, now, lines),
            // A command that sends nothing at all has no answer to be judged.
            Some(_) | None => {
                lines.give_back(line, true);
                self.never_sent(waiting, Fate::Garbage, now);
            }
        }
    }

    /// Sends the next request of an errand.
    pub(super) fn send_errand(
        &mut self,
        number: Number,
        waiting: Waiting,
        line: Line,
        now: u64,
        lines: &mut impl Lines,
    ) {
        let mut out = std::mem::take(&mut self.out);
        out.clear();
        let written = self.with(number, now, |errand, around| {
            errand.write(around, &mut out)?;
            errand.sent.get_or_insert(now);
            Ok(errand.part())
        });
        self.out = out;
        match written.unwrap_or(Err(Fate::Garbage)) {
            Ok(part) => {
                self.serial += 1;
                let (due, kind, serial) = (waiting.due, waiting.kind, self.serial);
                let flight = Flight { due, sent: now, kind, part, first_half: false, errand: Some(number), serial };
                self.take_off(flight, line, now, lines);
            }
            Err(fate) => {
                lines.give_back(line, true);
                self.never_sent(waiting, fate, now);
            }
        }
    }

    pub(super) fn errand_answered(&mut self, number: Number, reply: &Reply<'_>, now: u64) -> Next {
        let next = self.with(number, now, |errand, around| errand.answered(reply, around));
        next.unwrap_or(Next::Ended(Fate::Garbage))
    }

    /// Does what follows an answer.
    pub(super) fn errand_goes_on(&mut self, number: Number, flight: Flight, next: Next, (status, now): (u16, u64)) {
        let Flight { due, kind, part, .. } = flight;
        let waiting = Waiting { due, kind, leg: Leg::Errand(number), since: now };
        match next {
            Next::Send => self.waiting.push_front(waiting),
            Next::Rest(ns) => {
                self.serial += 1;
                self.resting.insert((now.saturating_add(ns), self.serial), waiting);
            }
            Next::Prove => {
                let step = self.step(now);
                let part = self.roster.answer(part.user, step);
                let code = self.brief.users.papers(part.user).code(step);
                self.with(number, now, |errand, _| {
                    errand.prove(&code);
                    errand.plan(part);
                });
                self.waiting.push_front(waiting);
            }
            Next::Ended(fate) => {
                let challenged = self.with(number, now, |errand, _| errand.is_proven()).unwrap_or_default();
                // It went through without the proof that it was to be asked for.
                let unasked = matches!(kind, Kind::Exchange | Kind::Key) && fate == Fate::Accepted && !challenged;
                let kind = if unasked { Kind::ChallengeOnly } else { kind };
                self.end(flight, kind, fate, status, now);
            }
        }
    }
}

impl Script {
    /// The address that the requests are for.
    pub fn base(&self) -> &Url {
        &self.base
    }
}
