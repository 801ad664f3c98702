//! What a client does wrong is held against what it does on the reference registry with answers of the same shape.

use serde_json::Value as Json;

use crate::check::play::Play;
use crate::check::seat::Seat;
use crate::client::limits::{Place, is_of_answers, on_reference};
use crate::dialect::predicate::Answer;
use crate::judge::Verdict;
use crate::result::{OnReference, Trait};

/// The longest `retry-after` that a person may be expected to wait, in seconds.
const BOUNDED_S: u64 = 60;

/// The stock words of a challenge. Clients differ in how much of them they look for.
const ASKS: &str = "you must provide a one-time pass";

/// The shape of an answer.
pub(in crate::check) fn traits(answer: Option<&Answer>) -> Vec<Trait> {
    let Some(answer) = answer else { return vec![Trait::NoAnswer] };
    let mut traits = vec![match answer.status {
        200..=299 => Trait::Success,
        300..=399 => Trait::Redirect,
        401 => Trait::Unauthorized,
        403 => Trait::Forbidden,
        400..=499 => Trait::ClientError,
        _ => Trait::OtherStatus,
    }];
    let schemes: Vec<String> = answer
        .header("www-authenticate")
        .flat_map(|value| value.split(','))
        .map(|one| one.trim().to_ascii_lowercase())
        .collect();
    if schemes.iter().any(|one| one == "otp") {
        traits.push(Trait::Otp);
    } else if schemes.iter().any(|one| one.starts_with("otp ")) {
        traits.push(Trait::OtpWithParameter);
    } else if !schemes.is_empty() {
        traits.push(Trait::OtherScheme);
    }
    if let Some(after) = answer.header("retry-after").next() {
        traits.push(match after.trim().parse::<u64>() {
            Ok(seconds) if seconds <= BOUNDED_S => Trait::RetryAfter,
            Ok(_) => Trait::RetryAfterLong,
            Err(_) => Trait::RetryAfterOther,
        });
    }
    if !answer.header("content-type").any(|kind| kind.contains("json")) {
        traits.push(Trait::OtherType);
    }
    let Some(json) = &answer.json else {
        traits.push(Trait::NoJson);
        return traits;
    };
    let text = |name: &str| json.get(name).and_then(Json::as_str);
    for (name, asks, other) in
        [("error", Trait::ErrorAsks, Trait::Error), ("message", Trait::MessageAsks, Trait::Message)]
    {
        traits.extend(text(name).map(|text| if text.to_lowercase().contains(ASKS) { asks } else { other }));
    }
    for (name, one) in [("authUrl", Trait::AuthUrl), ("doneUrl", Trait::DoneUrl), ("token", Trait::Token)] {
        traits.extend(text(name).map(|_| one));
    }
    traits.extend(json.get("tfa").map(|tfa| match tfa {
        Json::Null => Trait::TfaNull,
        Json::String(_) => Trait::TfaText,
        Json::Array(_) => Trait::TfaList,
        Json::Object(_) => Trait::TfaObject,
        Json::Bool(_) | Json::Number(_) => Trait::TfaOther,
    }));
    traits
}

impl Play<'_> {
    /// Notes of each limit how the client fares on the reference registry. Whether one of them is the target's: the client
    /// takes answers of the same shape there.
    pub(super) fn hold_against_reference(&mut self, seat: &Seat, row: &str) -> bool {
        let Some(session) = &mut self.session else { return false };
        let place = Place { row, factor: self.case.factor, situation: seat.situation, shape: &session.shape };
        let mut is_targets = false;
        for limit in &mut session.limits {
            let fares = on_reference(&seat.client.measured, place, limit.kind);
            limit.on_reference = Some(fares);
            is_targets |= fares == OnReference::Taken && is_of_answers(limit.kind);
        }
        is_targets
    }
}

/// The verdicts, where an answer that a client could not take is the target's: it has nothing else to answer for then.
pub(super) fn blamed(verdicts: Vec<Verdict>, is_targets: bool) -> Vec<Verdict> {
    match verdicts.as_slice() {
        [Verdict::Exact | Verdict::ClientLimit] if is_targets => vec![Verdict::WrongShape],
        _ => verdicts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], json: Json) -> Answer {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let headers = headers.iter().chain(&[("content-type", "application/json")]).map(own).collect();
        Answer { status, headers, body: json.to_string().into_bytes(), json: Some(json) }
    }

    #[test]
    fn a_shape_has_what_clients_read_and_none_of_its_values() {
        let said = serde_json::json!({ "error": "You must provide a one-time password.", "authUrl": "a", "other": 1 });
        let challenge = answer(401, &[("www-authenticate", "ipaddress, OTP"), ("retry-after", "61")], said);
        let shape = [Trait::Unauthorized, Trait::Otp, Trait::RetryAfterLong, Trait::ErrorAsks, Trait::AuthUrl];
        assert_eq!(traits(Some(&challenge)), shape);
        let changed = |tfa: Json| traits(Some(&answer(200, &[], serde_json::json!({ "tfa": tfa }))));
        assert_eq!(changed(Json::Null), [Trait::Success, Trait::TfaNull]);
        assert_eq!(changed(serde_json::json!({ "mode": "auth-only" })), [Trait::Success, Trait::TfaObject]);
        assert_eq!(traits(None), [Trait::NoAnswer]);
    }

    #[test]
    fn a_target_is_blamed_for_what_its_client_takes_elsewhere_and_for_nothing_beside() {
        assert_eq!(blamed(vec![Verdict::ClientLimit], true), [Verdict::WrongShape]);
        assert_eq!(blamed(vec![Verdict::Exact], true), [Verdict::WrongShape]);
        assert_eq!(blamed(vec![Verdict::ClientLimit], false), [Verdict::ClientLimit]);
        assert_eq!(blamed(vec![Verdict::MissingChallenge], true), [Verdict::MissingChallenge]);
    }
}
