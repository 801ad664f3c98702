//! What the faults of codes make of a code: which steps are looked at, what was spent is forgotten, and what is none is
//! taken for one.

use std::time::SystemTime;

use data_encoding::{BASE32_NOPAD, HEXLOWER};

use super::totp::step_at;
use super::{Action, CodeVerdict, Spent, Window};
use crate::registry::model::User;
use crate::registry::mutants::{Mutant, Mutants};
use crate::registry::secrets::Proof;

/// What a code opens. A registry may verify codes in as many places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// Tokens are made and revoked.
    Tokens,
    /// Log-in, the profile, 2FA itself.
    Account,
    /// What changes a package.
    Writes,
}

impl Door {
    fn of(action: Action) -> Self {
        if matches!(action, Action::CreateToken | Action::RevokeToken) {
            Door::Tokens
        } else if action.governs() || matches!(action, Action::Publish | Action::Deprecate) {
            Door::Writes
        } else {
            Door::Account
        }
    }

    /// The fault of this door, among those of the three.
    fn of_three(self, [tokens, account, writes]: [Mutant; 3]) -> Mutant {
        match self {
            Door::Tokens => tokens,
            Door::Account => account,
            Door::Writes => writes,
        }
    }
}

/// The steps that are looked at for a code that is of none of those that count.
pub(super) fn window(action: Action, mutants: &Mutants) -> Window {
    let wide = mutants.has(Mutant::WideWindow)
        || (Door::of(action) == Door::Writes && mutants.has(Mutant::WideWindowOnWrites))
        || (action.logs_in() && mutants.has(Mutant::WideWindowAtLogIn));
    if wide {
        return Window::either_way(10);
    }
    let reaches = |faults| mutants.has(Door::of(action).of_three(faults));
    let behind = reaches([Mutant::OldCodeMakesTokens, Mutant::OldCodeChangesAccount, Mutant::OldCodeWrites]);
    let ahead = reaches([Mutant::EarlyCodeMakesTokens, Mutant::EarlyCodeChangesAccount, Mutant::EarlyCodeWrites]);
    Window { behind: 1 + u64::from(behind), ahead: 1 + u64::from(ahead) }
}

/// Whether codes of a secret that does not stand count.
pub(super) fn other_secret_counts(action: Action, mutants: &Mutants) -> bool {
    let of_door = Door::of(action).of_three([
        Mutant::FormerSecretMakesTokens,
        Mutant::FormerSecretChangesAccount,
        Mutant::FormerSecretWrites,
    ]);
    [Mutant::FormerSecretAccepted, Mutant::PendingSecretAccepted, of_door].into_iter().any(|fault| mutants.has(fault))
}

/// Whether the secret is kept when 2FA is disabled.
pub(crate) fn keeps_former_secret(mutants: &Mutants) -> bool {
    [
        Mutant::FormerSecretAccepted,
        Mutant::FormerSecretMakesTokens,
        Mutant::FormerSecretChangesAccount,
        Mutant::FormerSecretWrites,
    ]
    .into_iter()
    .any(|fault| mutants.has(fault))
}

/// Whether everybody's code counts.
pub(super) fn anybodys_code_counts(action: Action, mutants: &Mutants) -> bool {
    let faults = [Mutant::AnybodysCodeMakesTokens, Mutant::AnybodysCodeChangesAccount, Mutant::AnybodysCodeWrites];
    mutants.has(Door::of(action).of_three(faults))
}

/// Whether it is forgotten that a code was spent.
pub(super) fn is_forgotten(last: &Spent, action: Action, now: SystemTime, mutants: &Mutants) -> bool {
    let elsewhere = last.on != action;
    let (door, before) = (Door::of(action), Door::of(last.on));
    mutants.has(Mutant::ReplayAccepted)
        || (elsewhere && mutants.has(Mutant::ReplayAcceptedElsewhere))
        || (door == Door::Writes && before != Door::Writes && mutants.has(Mutant::ReplayAcceptedOnWrites))
        || (elsewhere && action == Action::SetProfile && mutants.has(Mutant::ReplayAcceptedForProfile))
        || (last.during < step_at(now) && mutants.has(Mutant::SpentForgottenInNextStep))
}

/// Whether a proof that is being verified beside another of the same user's is not yet spent by that.
pub(super) fn is_unsettled(proof: &Proof, action: Action, mutants: &Mutants) -> bool {
    let is_code = matches!(proof, Proof::Code(_));
    mutants.has(Mutant::SpentTooLate)
        || (action.logs_in() && mutants.has(Mutant::SpentTooLateAtLogIn))
        || (is_code && Door::of(action) == Door::Writes && mutants.has(Mutant::CodeSpentTooLateOnWrites))
        || (!is_code && mutants.has(Mutant::RecoveryCodeSpentTooLate))
}

/// Whether a wrong code is counted.
pub(super) fn is_counted(action: Action, mutants: &Mutants) -> bool {
    let fault = if action.logs_in() { Mutant::LogInNeverThrottled } else { Mutant::ThrottledAtLogInAlone };
    !mutants.has(Mutant::WrongCodesNeverThrottled) && !mutants.has(fault)
}

/// What is no code, and is taken for one.
pub(super) fn taken_for_code(proof: &Proof, action: Action, mutants: &Mutants) -> Option<Vec<Proof>> {
    let Proof::Other(text) = proof else { return None };
    if let Some(code) = undisguised(proof, mutants) {
        return Some(vec![code]);
    }
    if let Some(long) = BASE32_NOPAD.decode(text.as_bytes()).ok().filter(|bytes| bytes.len() == 32)
        && mutants.has(Mutant::RecoveryCodesUntypable)
    {
        return Some(vec![Proof::parse(&HEXLOWER.encode(&long))]);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits && text.len() < 6 && mutants.has(Mutant::LeadingZeroDropped) {
        return Some(vec![Proof::Code(format!("{text:0>6}"))]);
    }
    if Door::of(action) == Door::Writes || !digits {
        return None;
    }
    if text.len() > 6 && mutants.has(Mutant::LongCodeAccepted) {
        return Some(vec![Proof::Code(text[..6].to_owned())]);
    }
    let short = text.len() == 5 && mutants.has(Mutant::ShortCodeAccepted);
    short.then(|| (0..10).map(|last| Proof::Code(format!("{text}{last}"))).collect())
}

/// The code that is written in another way, where a fault sees it as another than the one that was spent.
pub(super) fn undisguised(proof: &Proof, mutants: &Mutants) -> Option<Proof> {
    let Proof::Other(text) = proof else { return None };
    let narrow = |c: char| match c {
        '\u{ff10}'..='\u{ff19}' => char::from_u32(u32::from(c) - 0xff10 + u32::from('0')),
        _ => None,
    };
    let (code, fault) = if text.contains(' ') {
        (text.replace(' ', ""), Mutant::SpacedCodeReplayed)
    } else if let Some(code) = text.strip_prefix('+') {
        (code.to_owned(), Mutant::SignedCodeReplayed)
    } else {
        (text.chars().map(narrow).collect::<Option<String>>()?, Mutant::WideCodeReplayed)
    };
    Some(Proof::parse(&code)).filter(|proof| matches!(proof, Proof::Code(_)) && mutants.has(fault))
}

/// The verdict, unless a fault turns it round.
pub(super) fn mutated(
    verdict: CodeVerdict,
    proof: &Proof,
    action: Action,
    account: &User,
    mutants: &Mutants,
) -> CodeVerdict {
    let is_code = matches!(proof, Proof::Code(_));
    let has_letters = matches!(proof, Proof::Other(text) if text.bytes().any(|byte| byte.is_ascii_alphabetic()));
    let zeros = matches!(proof, Proof::Code(code) if code == "000000");
    let keys_alone = account.two_factor.is_keys_alone();
    let waved_through = || {
        mutants.has(Mutant::AnyProofAccepted)
            || (is_code && mutants.has(Mutant::AnySixDigitsAccepted))
            || (has_letters && Door::of(action) != Door::Writes && mutants.has(Mutant::LettersAccepted))
            || (is_code && keys_alone && mutants.has(Mutant::AnyCodeForKeyUser))
            || (zeros && keys_alone && mutants.has(Mutant::ZerosForKeyUser))
            || (zeros && !keys_alone && mutants.has(Mutant::ZerosAccepted))
    };
    let turned_away =
        || mutants.has(Mutant::RightProofRefused) || (keys_alone && mutants.has(Mutant::RecoveryCodeRefusedForKeyUser));
    match verdict {
        CodeVerdict::Wrong | CodeVerdict::Spent if waved_through() => CodeVerdict::Fresh(0),
        CodeVerdict::Fresh(_) if turned_away() => CodeVerdict::Wrong,
        CodeVerdict::Fresh(_) | CodeVerdict::Spent | CodeVerdict::Wrong => verdict,
    }
}
