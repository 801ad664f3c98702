//! The users of a pool: who they are, from a seed or from a file, and what each can prove.
//!
//! A user of a seed takes no memory at all: name, token and secret are computed when a request is written. How they
//! follow from the seed is described in `docs/load.md`; a registry that has the seed needs no list of them.

use std::io::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::persona::key::Stored;
use crate::persona::totp;
use crate::secret::{Secret, SecretKind};

/// The seed of a pool.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PoolSeed(pub [u8; 32]);

impl PoolSeed {
    /// The seed of a number, as it stands on a command line.
    pub fn of_number(number: u64) -> Self {
        PoolSeed(Sha256::new().chain_update(b"stepup pool").chain_update(number.to_be_bytes()).finalize().into())
    }
}

impl std::fmt::Debug for PoolSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("‹pool seed›")
    }
}

/// Six decimal digits.
pub type Code = [u8; 6];

/// The users of a pool.
#[derive(Clone)]
pub enum Users {
    /// Users that follow from a seed.
    Seeded(Seeded),
    /// Users whose registry chose their secrets.
    Kept(std::sync::Arc<Vec<Kept>>),
}

/// A user whose registry chose the secret.
#[derive(Clone)]
pub struct Kept {
    /// The name.
    pub name: Box<str>,
    /// The bearer token.
    pub token: Box<str>,
    /// The password.
    pub password: Box<str>,
    /// The secret of the codes.
    pub secret: Box<[u8]>,
    /// The recovery codes that are left.
    pub recovery: Vec<Box<str>>,
    /// The security key, where one was registered.
    pub key: Option<Stored>,
}

/// Users that follow from a seed.
#[derive(Clone)]
pub struct Seeded {
    key: Hmac<Sha256>,
    mark: String,
    users: u32,
}

impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} users", self.len())
    }
}

impl Users {
    /// So many users of a seed.
    pub fn seeded(seed: PoolSeed, users: u32) -> Self {
        let key = Hmac::new_from_slice(&seed.0).expect("HMAC takes keys of any length (RFC 2104 §3)");
        let mut seeded = Seeded { key, mark: String::new(), users };
        seeded.mark = data_encoding::HEXLOWER.encode(&seeded.derive("pool", &[])[..4]);
        Users::Seeded(seeded)
    }

    /// How many there are.
    pub fn len(&self) -> u32 {
        match self {
            Users::Seeded(seeded) => seeded.users,
            Users::Kept(kept) => u32::try_from(kept.len()).unwrap_or(u32::MAX),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A user's name.
    pub fn name(&self, user: u32) -> String {
        let mut name = Vec::new();
        self.write_name(user, &mut name);
        String::from_utf8(name).unwrap_or_default()
    }

    /// A user's secret, in base32 as authenticators take it.
    pub fn base32(&self, user: u32) -> Secret {
        let secret = match self {
            Users::Seeded(seeded) => data_encoding::BASE32_NOPAD.encode(&seeded.derive("user", &[user])[..20]),
            Users::Kept(kept) => {
                kept.get(user as usize).map(|kept| data_encoding::BASE32_NOPAD.encode(&kept.secret)).unwrap_or_default()
            }
        };
        Secret::new(SecretKind::TotpSecret, secret)
    }

    /// A user's password.
    pub fn password(&self, user: u32) -> Secret {
        let mut password = Vec::new();
        self.write_password(user, &mut password);
        Secret::new(SecretKind::Password, String::from_utf8(password).unwrap_or_default())
    }

    /// Whether every user has a security key.
    pub fn have_keys(&self) -> bool {
        match self {
            Users::Seeded(_) => true,
            Users::Kept(kept) => kept.iter().all(|user| user.key.is_some()),
        }
    }

    /// Whether users have a second factor: those of a seed as the registry is told, the others as they were made.
    pub fn have_codes(&self) -> bool {
        match self {
            Users::Seeded(_) => true,
            Users::Kept(kept) => kept.iter().all(|user| !user.secret.is_empty()),
        }
    }

    /// A user's token.
    pub fn token(&self, user: u32) -> Secret {
        let mut token = Vec::new();
        self.write_token(&self.papers(user), &mut token);
        Secret::new(SecretKind::Token, String::from_utf8(token).unwrap_or_default())
    }

    /// Writes a user's name.
    pub fn write_name(&self, user: u32, out: &mut Vec<u8>) {
        match self {
            // Writing into memory does not fail.
            Users::Seeded(seeded) => drop(write!(out, "su{}-{user:08}", seeded.mark)),
            Users::Kept(kept) => out.extend(kept.get(user as usize).map_or("", |kept| &kept.name).bytes()),
        }
    }

    /// Writes a user's password.
    pub fn write_password(&self, user: u32, out: &mut Vec<u8>) {
        match self {
            Users::Seeded(seeded) => write_hex(&seeded.derive("password", &[user])[..16], out),
            Users::Kept(kept) => out.extend(kept.get(user as usize).map_or("", |kept| &kept.password).bytes()),
        }
    }

    /// Writes a user's recovery code of an index; nothing where there is none.
    pub fn write_recovery(&self, user: u32, index: u32, out: &mut Vec<u8>) {
        match self {
            Users::Seeded(seeded) => write_hex(&seeded.derive("recovery", &[user, index]), out),
            Users::Kept(kept) => {
                let code = kept.get(user as usize).and_then(|kept| kept.recovery.get(index as usize));
                out.extend(code.map_or("", |code| code).bytes());
            }
        }
    }

    /// What a request by this user is written with. Computing it once serves the token and the code.
    pub fn papers(&self, user: u32) -> Papers {
        let mut papers = Papers { user, key: [0; KEY], tag: [0; 12] };
        match self {
            Users::Seeded(seeded) => {
                let digest = seeded.derive("user", &[user]);
                papers.key[..20].copy_from_slice(&digest[..20]);
                papers.tag.copy_from_slice(&digest[20..]);
            }
            Users::Kept(kept) => {
                let secret = kept.get(user as usize).map_or(&[][..], |kept| &kept.secret);
                match papers.key.get_mut(..secret.len()) {
                    Some(key) => key.copy_from_slice(secret),
                    None => papers.key[..20].copy_from_slice(&Sha1::digest(secret)),
                }
            }
        }
        papers
    }

    /// Writes the token of these papers.
    pub fn write_token(&self, papers: &Papers, out: &mut Vec<u8>) {
        match self {
            Users::Seeded(_) => write_seeded_token(papers.user, &papers.tag, out),
            Users::Kept(kept) => out.extend(kept.get(papers.user as usize).map_or("", |kept| &kept.token).bytes()),
        }
    }
}

impl Seeded {
    /// What follows from the seed for these words and numbers.
    pub(super) fn derive(&self, what: &str, numbers: &[u32]) -> [u8; 32] {
        let mut mac = self.key.clone();
        mac.update(what.as_bytes());
        for number in numbers {
            mac.update(&number.to_be_bytes());
        }
        mac.finalize().into_bytes().into()
    }
}

/// The length of a key as HMAC-SHA-1 takes it: a shorter one is filled up with zeros, a longer one hashed (RFC 2104 §2).
const KEY: usize = 64;

/// What a request by one user is written with.
pub struct Papers {
    user: u32,
    key: [u8; KEY],
    tag: [u8; 12],
}

impl Papers {
    /// Whose they are.
    pub fn user(&self) -> u32 {
        self.user
    }

    /// The secret of the codes, as HMAC-SHA-1 takes it.
    pub fn secret(&self) -> &[u8] {
        &self.key
    }

    /// The code of a step (RFC 4226 §5.3, RFC 6238).
    pub fn code(&self, step: u32) -> Code {
        digits(self.number(step))
    }

    /// A well-formed code that is not that of any step within `reach` of this one.
    pub fn wrong_code(&self, step: u32, reach: u32) -> Code {
        let near: Vec<u32> =
            (step.saturating_sub(reach)..=step.saturating_add(reach)).map(|step| self.number(step)).collect();
        let mut number = self.number(step);
        while near.contains(&number) {
            number = (number + 271_828) % 1_000_000;
        }
        digits(number)
    }

    /// The code of a step long over, that is not that of any step within `reach` of this one.
    pub fn expired_code(&self, step: u32, reach: u32) -> Code {
        let near =
            |number| (step.saturating_sub(reach)..=step.saturating_add(reach)).any(|step| self.number(step) == number);
        let ago = (20..).map(|ago| self.number(step.saturating_sub(ago))).take(1_000).find(|number| !near(*number));
        ago.map_or_else(|| self.wrong_code(step, reach), digits)
    }

    fn number(&self, step: u32) -> u32 {
        totp::number(&self.key, step.into())
    }
}

fn digits(mut number: u32) -> Code {
    let mut code = [b'0'; 6];
    for digit in code.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    code
}

fn write_seeded_token(user: u32, tag: &[u8; 12], out: &mut Vec<u8>) {
    out.extend_from_slice(b"npm_");
    write_hex(&user.to_be_bytes(), out);
    write_hex(tag, out);
}

fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend(bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0x0f)]]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_rfc_vectors() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../fixtures/rfc/otp-vectors.json")).expect("the vectors parse");
        let secret = vectors["secret"].as_str().expect("a secret").as_bytes();
        let (name, token, password) = ("a".into(), "b".into(), "c".into());
        let kept = Kept { name, token, password, secret: secret.into(), recovery: Vec::new(), key: None };
        let papers = Users::Kept(std::sync::Arc::new(vec![kept])).papers(0);
        for vector in vectors["totp"].as_array().expect("vectors") {
            let step = u32::try_from(vector[0].as_u64().expect("a time") / 30).expect("a step");
            assert_eq!(String::from_utf8_lossy(&papers.code(step)), vector[1].as_str().expect("a code")[2..]);
        }
    }

    #[test]
    fn wrong_and_expired_codes_are_none_that_is_accepted() {
        let users = Users::seeded(PoolSeed::of_number(1), 500);
        for user in 0..500 {
            let papers = users.papers(user);
            let near: Vec<Code> = (998..=1_002).map(|step| papers.code(step)).collect();
            assert!(!near.contains(&papers.wrong_code(1_000, 2)));
            assert!(!near.contains(&papers.expired_code(1_000, 2)));
            assert_eq!(papers.expired_code(1_000, 2), papers.code(980));
        }
    }

    #[test]
    fn users_differ_and_are_the_same_for_a_seed() {
        let users = Users::seeded(PoolSeed::of_number(1), 10);
        let again = Users::seeded(PoolSeed::of_number(1), 10);
        let others = Users::seeded(PoolSeed::of_number(2), 10);
        assert_eq!(users.token(3), again.token(3));
        assert_ne!(users.token(3).reveal(), users.token(4).reveal());
        assert_ne!(users.token(3).reveal(), others.token(3).reveal());
        assert_ne!(users.name(3), others.name(3));
        assert!(users.name(3).ends_with("-00000003"), "{}", users.name(3));
        let shown = format!("{:?} {:?} {:?}", users.token(3), users, PoolSeed::of_number(1));
        assert_eq!(shown, "‹token› 10 users ‹pool seed›");
    }
}
