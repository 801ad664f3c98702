//! Where a user stands with 2FA: without it, half-way into it, or with it.
//!
//! The three exclude each other, so a pending enrolment can neither be enforced nor weaken a
//! factor that stands: changing the mode of a standing factor makes nothing pending. Codes may be
//! pending beside keys; they were asked for with a proof.

use serde::Serialize;

use super::recovery::RecoveryCodes;
use super::{Mode, Seed, Spent};
use crate::registry::keys::{Key, Keys, Removal, UserHandle};
use crate::registry::secrets::RecoveryCode;

/// Where a user stands with 2FA.
#[derive(Debug)]
pub(crate) enum TwoFactor {
    /// Not enabled.
    Off,
    /// Asked for, and waiting for a first code.
    Pending(Pending),
    /// Enabled.
    On(Factor),
}

/// An enrolment of codes that has not been confirmed.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) seed: Seed,
    pub(crate) mode: Mode,
}

/// An enabled second factor.
#[derive(Debug)]
pub(crate) struct Factor {
    pub(crate) mode: Mode,
    pub(crate) means: Means,
    pub(crate) recovery: RecoveryCodes,
}

/// What a user proves himself with. There is always something.
#[derive(Debug)]
pub(crate) enum Means {
    /// Codes, and perhaps keys.
    Codes { codes: Codes, keys: Option<Keys> },
    /// Keys alone, and perhaps codes that wait for their first.
    Keys { keys: Keys, pending: Option<Pending> },
}

/// One-time codes.
#[derive(Debug)]
pub(crate) struct Codes {
    pub(crate) seed: Seed,
    pub(crate) last: Option<Spent>,
}

impl TwoFactor {
    /// The mode that is enforced.
    pub(crate) fn mode(&self) -> Option<Mode> {
        self.factor().map(|factor| factor.mode)
    }

    pub(crate) fn factor(&self) -> Option<&Factor> {
        match self {
            TwoFactor::Off | TwoFactor::Pending(_) => None,
            TwoFactor::On(factor) => Some(factor),
        }
    }

    /// The keys, if there are any.
    pub(crate) fn keys(&self) -> Option<&Keys> {
        self.factor()?.keys()
    }

    pub(crate) fn keys_mut(&mut self) -> Option<&mut Keys> {
        match self {
            TwoFactor::Off | TwoFactor::Pending(_) => None,
            TwoFactor::On(factor) => match &mut factor.means {
                Means::Codes { keys, .. } => keys.as_mut(),
                Means::Keys { keys, .. } => Some(keys),
            },
        }
    }

    /// Changes the mode, if 2FA is on.
    pub(crate) fn set_mode(&mut self, mode: Mode) {
        if let TwoFactor::On(factor) = self {
            factor.mode = mode;
        }
    }

    /// Whether keys are all that the user has.
    pub(crate) fn is_keys_alone(&self) -> bool {
        self.factor().is_some_and(|factor| matches!(factor.means, Means::Keys { .. }))
    }

    /// The enrolment of codes that waits for its first.
    pub(crate) fn pending(&self) -> Option<&Pending> {
        match self {
            TwoFactor::Off => None,
            TwoFactor::Pending(pending) => Some(pending),
            TwoFactor::On(factor) => match &factor.means {
                Means::Codes { .. } => None,
                Means::Keys { pending, .. } => pending.as_ref(),
            },
        }
    }

    /// Makes an enrolment of codes pending, unless there are codes already.
    pub(crate) fn begin(&mut self, begun: Pending) {
        match self {
            TwoFactor::Off | TwoFactor::Pending(_) => *self = TwoFactor::Pending(begun),
            TwoFactor::On(factor) => match &mut factor.means {
                Means::Codes { .. } => {}
                Means::Keys { pending, .. } => *pending = Some(begun),
            },
        }
    }

    /// Enables the codes that are pending; the one that confirmed them is spent. The recovery
    /// codes are new ones: only these are shown, so only these are good.
    pub(crate) fn confirm(self, spent: Spent) -> (Self, Vec<RecoveryCode>) {
        let (pending, mode, keys) = match self {
            TwoFactor::Pending(pending) => (pending.seed, pending.mode, None),
            TwoFactor::On(Factor { mode, means: Means::Keys { keys, pending: Some(pending) }, .. }) => {
                (pending.seed, mode, Some(keys))
            }
            standing @ (TwoFactor::Off | TwoFactor::On(_)) => return (standing, Vec::new()),
        };
        let (recovery, handed_out) = RecoveryCodes::mint();
        let codes = Codes { seed: pending, last: Some(spent) };
        (TwoFactor::On(Factor { mode, means: Means::Codes { codes, keys }, recovery }), handed_out)
    }

    /// Adds a key. If it is the first factor, 2FA is on from now on, and there are recovery codes
    /// to be shown; what was pending is dropped, for it was asked for without a proof.
    pub(crate) fn add_key(&mut self, key: Key, handle: UserHandle, mode: Mode) -> Option<Vec<RecoveryCode>> {
        match self {
            TwoFactor::On(Factor {
                means: Means::Keys { keys, .. } | Means::Codes { keys: Some(keys), .. }, ..
            }) => {
                keys.add(key);
                None
            }
            TwoFactor::On(Factor { means: Means::Codes { keys, .. }, .. }) => {
                *keys = Some(Keys::new(handle, key));
                None
            }
            TwoFactor::Off | TwoFactor::Pending(_) => {
                let (recovery, handed_out) = RecoveryCodes::mint();
                let means = Means::Keys { keys: Keys::new(handle, key), pending: None };
                *self = TwoFactor::On(Factor { mode, means, recovery });
                Some(handed_out)
            }
        }
    }

    /// Removes a key, unless nothing would be left.
    pub(crate) fn remove_key(&mut self, id: &str) -> Removal {
        let removal = self.keys_mut().map_or(Removal::Unknown, |keys| keys.remove(id));
        match (removal, self) {
            (Removal::Last, TwoFactor::On(Factor { means: Means::Codes { keys, .. }, .. })) => {
                keys.take().map_or(Removal::Unknown, |keys| Removal::Removed(keys.into_first()))
            }
            (removal, _) => removal,
        }
    }

    /// The `tfa` member of a profile.
    pub(crate) fn describe(&self) -> Option<Description> {
        match self {
            TwoFactor::Off => None,
            TwoFactor::Pending(Pending { mode, .. }) => Some(Description { pending: true, mode: mode.name() }),
            TwoFactor::On(Factor { mode, .. }) => Some(Description { pending: false, mode: mode.name() }),
        }
    }
}

/// What a profile says of a second factor.
#[derive(Serialize)]
pub(crate) struct Description {
    pending: bool,
    mode: &'static str,
}

/// What only faults do.
impl TwoFactor {
    /// Forgets which codes were spent.
    pub(crate) fn forget_spent(&mut self) {
        if let TwoFactor::On(factor) = self
            && let Some(codes) = factor.codes_mut()
        {
            codes.last = None;
        }
    }

    /// Does away with codes that stand beside keys.
    pub(crate) fn drop_codes(&mut self) {
        if let TwoFactor::On(Factor { means, .. }) = self
            && let Means::Codes { keys, .. } = means
            && let Some(keys) = keys.take()
        {
            *means = Means::Keys { keys, pending: None };
        }
    }

    /// Does away with keys that stand beside codes.
    pub(crate) fn drop_keys(&mut self) {
        if let TwoFactor::On(Factor { means: Means::Codes { keys, .. }, .. }) = self {
            *keys = None;
        }
    }
}

impl Factor {
    /// Codes alone, that both sides have known from the beginning.
    pub(crate) fn of_codes(mode: Mode, seed: Seed, recovery: RecoveryCodes) -> Self {
        let codes = Codes { seed, last: None };
        Self { mode, means: Means::Codes { codes, keys: None }, recovery }
    }

    pub(crate) fn codes(&self) -> Option<&Codes> {
        match &self.means {
            Means::Codes { codes, .. } => Some(codes),
            Means::Keys { .. } => None,
        }
    }

    pub(crate) fn codes_mut(&mut self) -> Option<&mut Codes> {
        match &mut self.means {
            Means::Codes { codes, .. } => Some(codes),
            Means::Keys { .. } => None,
        }
    }

    pub(crate) fn keys(&self) -> Option<&Keys> {
        match &self.means {
            Means::Codes { keys, .. } => keys.as_ref(),
            Means::Keys { keys, .. } => Some(keys),
        }
    }

    /// The secret of the codes and the recovery codes, given up with the rest.
    pub(crate) fn into_parts(self) -> (Option<Seed>, RecoveryCodes) {
        let seed = match self.means {
            Means::Codes { codes, .. } => Some(codes.seed),
            Means::Keys { .. } => None,
        };
        (seed, self.recovery)
    }
}

impl Pending {
    pub(crate) fn new(mode: Mode) -> Self {
        Self { seed: Seed::mint(), mode }
    }
}
