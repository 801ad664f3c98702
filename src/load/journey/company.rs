//! The company of a journey: the users of a pool, handed out to those who walk.
//!
//! Users take turns, so that the one whose last code is the longest ago walks next. Each comes with a ledger, which hands
//! out every code once.

use std::collections::VecDeque;

use crate::clock::UnixMillis;
use crate::load::users::Users;
use crate::persona::Persona;
use crate::persona::ledger::{Ledger, Skew};
use crate::persona::totp::{PERIOD, TotpSecret};
use crate::secret::{Secret, SecretKind};

/// The users of a pool who do not walk at the moment.
#[derive(Debug)]
pub(super) struct Company {
    users: Users,
    skew: Skew,
    guard_ms: i64,
    /// Codes up to this step have been spent before.
    spent_before: u32,
    /// The last step in which any of them has spent a code.
    spent_through: u32,
    next: u32,
    rested: VecDeque<(u32, Persona)>,
}

impl Company {
    /// All users of a pool, none of whom has walked.
    pub fn new(users: Users, skew: Skew, guard_ms: i64, spent_before: u32) -> Self {
        let spent_through = spent_before;
        Company { users, skew, guard_ms, spent_before, spent_through, next: 0, rested: VecDeque::new() }
    }

    /// Who walks next: by number, and as a persona. None where everyone walks.
    pub fn send_out(&mut self) -> Option<(u32, Persona)> {
        if self.next < self.users.len() {
            self.next += 1;
            return Some((self.next - 1, self.persona(self.next - 1)));
        }
        self.rested.pop_front()
    }

    /// Who has walked comes back.
    pub fn take_back(&mut self, number: u32, persona: Persona) {
        let last = persona.ledger.as_ref().and_then(Ledger::last).map_or(0, |step| step.0);
        self.spent_through = self.spent_through.max(u32::try_from(last).unwrap_or_default());
        self.rested.push_back((number, persona));
    }

    /// The last step in which a code was spent by anybody who is back.
    pub fn spent_through(&self) -> u32 {
        self.spent_through
    }

    fn persona(&self, number: u32) -> Persona {
        let mut password = Vec::new();
        self.users.write_password(number, &mut password);
        let password = String::from_utf8(password).unwrap_or_default();
        let mut persona = Persona::new(self.users.name(number), Secret::new(SecretKind::Password, password));
        persona.token = Some(self.users.token(number));
        // A pool's secrets were read as base32, or made of bytes: these are read again.
        let secret = TotpSecret::from_base32(self.users.base32(number).reveal());
        let spent = UnixMillis(i64::from(self.spent_before) * PERIOD * 1_000);
        persona.ledger = secret.ok().map(|secret| Ledger::resumed(secret, self.skew, self.guard_ms, spent));
        persona
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::users::PoolSeed;
    use crate::persona::ledger::Issue;

    const SKEW: Skew = Skew { behind: 1, ahead: 1 };

    fn company(users: u32, spent_before: u32) -> Company {
        Company::new(Users::seeded(PoolSeed::of_number(1), users), SKEW, 0, spent_before)
    }

    #[test]
    fn everyone_walks_before_anyone_walks_again() {
        let mut company = company(2, 0);
        let (first, persona) = company.send_out().expect("a user");
        company.take_back(first, persona);
        assert_eq!(company.send_out().expect("a user").0, 1);
        assert_eq!(company.send_out().expect("a user").0, 0);
        assert!(company.send_out().is_none());
    }

    #[test]
    fn a_user_proves_himself_with_the_codes_of_the_pool_and_with_each_once() {
        let mut company = company(1, 99);
        let users = company.users.clone();
        let (number, mut persona) = company.send_out().expect("a user");
        assert_eq!(persona.token, Some(users.token(0)));
        let mut issued = Vec::new();
        let ledger = persona.ledger.as_mut().expect("a ledger");
        // Step 99 has been spent before, so the present step and the next one are left.
        while let Issue::Code(code) = ledger.issue(UnixMillis(100 * 30_000)) {
            issued.push(code.reveal().to_owned());
        }
        let papers = users.papers(0);
        let codes = [100, 101].map(|step| String::from_utf8(papers.code(step).to_vec()).expect("digits"));
        assert_eq!(issued, codes);
        company.take_back(number, persona);
        assert_eq!(company.spent_through(), 101);
    }
}
