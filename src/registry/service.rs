//! The registry as a service: one HTTP request in, one answer out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{DATE, HeaderValue, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{Response, StatusCode};
use tokio::sync::Notify;

use super::in_flight::{Flight, InFlight, Matter};
use super::model::{State, UserName};
use super::mutants::Mutant;
use super::routes::route;
use super::seeded::Seeded;
use super::settings::{BODY_LIMIT, Settings};
use super::verifiers::AtWork;
use super::wire::{Answer, Authorization, Call, Intake, Refusal, Verb, http_date, take_in};

/// A registry. Clones share one memory.
#[derive(Clone)]
pub struct Registry(Arc<Desk>);

/// What the endpoints work at: the settings, the memory, the counters.
pub(crate) struct Desk {
    settings: Settings,
    state: Mutex<State>,
    tally: Tally,
    closing: Notify,
    in_flight: InFlight,
    verifiers: AtWork,
}

/// How long verifying a proof takes under the faults of races.
const VERIFICATION: Duration = Duration::from_millis(60);

impl Registry {
    /// An empty registry.
    pub fn new(settings: Settings) -> Self {
        let mut state = State::default();
        // Room for all who may come costs next to nothing before they do, and nobody waits while it is made.
        state.users.reserve(settings.seeded.as_ref().map_or(0, Seeded::users));
        Self(Arc::new(Desk {
            settings,
            state: Mutex::new(state),
            tally: Tally::default(),
            closing: Notify::new(),
            in_flight: InFlight::default(),
            verifiers: AtWork::default(),
        }))
    }

    /// The registry as an axum router, to be served or called directly.
    pub fn router(&self) -> Router {
        let registry = self.clone();
        Router::new().fallback(move |request: Request| {
            let registry = registry.clone();
            async move { registry.answer(request).await }
        })
    }

    /// How many second factors have been accepted.
    pub fn accepted_proofs(&self) -> u64 {
        self.0.tally.accepted.load(Ordering::Relaxed)
    }

    /// What has been counted so far.
    pub fn statistics(&self) -> Statistics {
        let tally = &self.0.tally;
        Statistics {
            requests: tally.requests.load(Ordering::Relaxed),
            accepted_proofs: tally.accepted.load(Ordering::Relaxed),
            refused_proofs: tally.refused.load(Ordering::Relaxed),
            bare_challenges: tally.challenged.load(Ordering::Relaxed),
            throttled: tally.throttled.load(Ordering::Relaxed),
        }
    }

    /// Lets go of calls that a fault keeps waiting.
    pub(crate) fn close(&self) {
        self.0.closing.notify_waiters();
    }

    async fn answer(&self, request: Request) -> Response<Body> {
        let desk = &self.0;
        desk.tally.requests.fetch_add(1, Ordering::Relaxed);
        let (mut parts, body) = request.into_parts();
        desk.take_misplaced_proof(&mut parts);
        let reply = match take_in(body, BODY_LIMIT).await {
            Intake::Whole(body) => match Call::parse(&parts, body) {
                Ok(call) => {
                    desk.admit_seeded(&call);
                    if let Some(by) = desk.settings.verifiers.filter(|_| call.proof().is_some()) {
                        desk.verifiers.verify(by).await;
                    }
                    let _flight = desk.verify_slowly(&call).await;
                    route(desk, &call)
                }
                Err(refusal) => Err(refusal),
            },
            Intake::TooLarge => Err(Refusal::TooLarge),
            Intake::Broken => Err(Refusal::malformed("the request body broke off")),
        };
        let answer = reply.unwrap_or_else(Answer::from);
        if answer.is_never() {
            desk.closing.notified().await;
        }
        let mut response = answer.into_response();
        if response.status() == StatusCode::TOO_MANY_REQUESTS
            && desk.settings.mutants.has(Mutant::ThrottledWithoutRetryAfter)
        {
            response.headers_mut().remove(RETRY_AFTER);
        }
        // The clock that judges codes is the one that clients see.
        if let Ok(date) = HeaderValue::from_str(&http_date((desk.settings.now)())) {
            response.headers_mut().insert(DATE, date);
        }
        response
    }
}

impl Desk {
    /// Under the faults that need it, verification takes a while, as it does where it reads a database.
    async fn verify_slowly(&self, call: &Call) -> Option<Flight<'_>> {
        let (whose, matter) = self.race(call)?;
        let flight = matter.map(|matter| self.in_flight.begin(whose, matter));
        let long = match matter {
            Some(Matter::Proof | Matter::Mode) => VERIFICATION,
            // Polls are few, and may be slow to meet.
            Some(Matter::Poll) => VERIFICATION * 4,
            None => VERIFICATION / 2,
        };
        tokio::time::sleep(long).await;
        flight
    }

    /// What a call races about under a fault that needs it; every other write takes part as well. Reads are answered at
    /// once, for they race with nothing.
    fn race(&self, call: &Call) -> Option<(String, Option<Matter>)> {
        let mutants = &self.settings.mutants;
        if mutants.has(Mutant::PollsAtOnce) || mutants.has(Mutant::LogInPollsAtOnce) {
            return match call.segments().as_slice() {
                ["-", "v1", "done", ticket] => Some(((*ticket).to_owned(), Some(Matter::Poll))),
                _ => None,
            };
        }
        let matter = if mutants.has(Mutant::ModeChangeOpensWrites) {
            call.changes_mode().then_some(Matter::Mode)
        } else if Mutant::SLOW_PROOFS.iter().any(|fault| mutants.has(*fault)) {
            call.proof().map(|_| Matter::Proof)
        } else {
            return None;
        };
        let user = self.user_of(call).map(|user| user.as_str().to_owned()).unwrap_or_default();
        (call.verb() != Some(Verb::Get)).then_some((user, matter))
    }

    /// Whose call it is: the token's owner, or whoever logs in.
    fn user_of(&self, call: &Call) -> Option<UserName> {
        match call.authorization() {
            Some(Authorization::Bearer(text)) => {
                self.lock().tokens.get(&text.digest()).map(|token| token.owner.clone())
            }
            _ => UserName::parse(call.segments().last()?.strip_prefix("org.couchdb.user:")?).ok(),
        }
    }

    /// Takes a proof from where none belongs: two faults.
    fn take_misplaced_proof(&self, parts: &mut Parts) {
        let mutants = &self.settings.mutants;
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let code = form_urlencoded::parse(query).find(|(name, _)| name == "otp");
        let code = code.and_then(|(_, code)| HeaderValue::from_str(&code).ok());
        let in_query = code.filter(|_| mutants.has(Mutant::QueryStringCodeAccepted));
        let elsewhere = || parts.headers.get("x-otp").filter(|_| mutants.has(Mutant::OtherHeaderCodeAccepted)).cloned();
        if let Some(proof) = in_query.or_else(elsewhere) {
            parts.headers.insert("npm-otp", proof);
        }
    }

    pub(crate) fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Takes hold of the memory. No request leaves it half-changed, so a panic elsewhere while it
    /// was held is no reason to give up.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counters of a running registry.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    requests: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    challenged: AtomicU64,
    throttled: AtomicU64,
}

impl Tally {
    pub(crate) fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn challenged(&self) {
        self.challenged.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn throttled(&self) {
        self.throttled.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a registry has counted since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Requests of any kind.
    pub requests: u64,
    /// Second factors that were accepted.
    pub accepted_proofs: u64,
    /// Second factors that were not: wrong or spent.
    pub refused_proofs: u64,
    /// Challenges to requests that carried no second factor.
    pub bare_challenges: u64,
    /// Second factors that were not looked at, after too many wrong ones.
    pub throttled: u64,
}

impl Statistics {
    /// What has been counted since an earlier moment.
    pub fn since(&self, earlier: &Statistics) -> Statistics {
        Statistics {
            requests: self.requests.saturating_sub(earlier.requests),
            accepted_proofs: self.accepted_proofs.saturating_sub(earlier.accepted_proofs),
            refused_proofs: self.refused_proofs.saturating_sub(earlier.refused_proofs),
            bare_challenges: self.bare_challenges.saturating_sub(earlier.bare_challenges),
            throttled: self.throttled.saturating_sub(earlier.throttled),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;
    use std::time::SystemTime;

    use super::*;
    use crate::registry::Verifiers;

    #[tokio::test(start_paused = true)]
    async fn a_verifier_takes_its_time_for_a_proof_and_none_for_a_request_without_one() {
        let mut settings = Settings::new(Arc::new(|| SystemTime::UNIX_EPOCH));
        settings.verifiers = Some(Verifiers { number: NonZeroU16::new(1).unwrap(), time: Duration::from_millis(10) });
        let registry = Registry::new(settings);
        let took = async |proof: Option<&str>| {
            let began = tokio::time::Instant::now();
            let request = axum::http::Request::post("/-/npm/v1/user");
            let request = proof.into_iter().fold(request, |request, proof| request.header("npm-otp", proof));
            registry.answer(request.body(Body::from("{}")).unwrap()).await;
            began.elapsed().as_millis()
        };
        assert_eq!((took(None).await, took(Some("123456")).await), (0, 10));
        assert_eq!(tokio::join!(took(Some("123456")), took(None), took(Some("123456"))), (10, 0, 20));
    }
}
