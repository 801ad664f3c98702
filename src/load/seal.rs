//! Seals what is secret in a pool: age (<https://age-encryption.org/v1>), with nothing added to it.
//!
//! A sealed pool has an X25519 identity of its own. The identity is kept in the pool's first line, encrypted with the
//! passphrase: scrypt, which is slow on purpose, is paid once each time the pool is opened. Each line that holds
//! secrets is an age file for that identity, written in base64: whole or not there, like any other line of the
//! journal, and openable with stock tools. Whoever only adds a line needs no passphrase.

use std::io::{Read as _, Write as _};
use std::iter;

use age::secrecy::{ExposeSecret as _, SecretString};
use age::{Decryptor, Encryptor, scrypt, x25519};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::passphrase::{Passphrase, Use, Whence};

/// scrypt's N is two to the power of this: 128 MiB.
const WORK: u8 = 17;
/// The most that is done for a pool that somebody else made: 1 GiB.
const MOST_WORK: u8 = 20;

/// What the first line of a sealed pool says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Seal {
    /// Whom lines are sealed for.
    recipient: String,
    /// The identity that opens them, encrypted with the passphrase.
    identity: String,
}

/// Why something stays closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// It is another passphrase.
    WrongPassphrase,
    /// What stands there is not what was written.
    Damaged(String),
}

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Closed::WrongPassphrase => f.write_str("the passphrase is wrong"),
            Closed::Damaged(what) => write!(f, "what is encrypted cannot be read: {what}"),
        }
    }
}

fn damaged(what: impl std::fmt::Display) -> Closed {
    Closed::Damaged(what.to_string())
}

/// Opens what was sealed.
#[derive(Clone)]
pub struct Opener(x25519::Identity);

/// Seals lines.
#[derive(Clone)]
pub struct Sealer(x25519::Recipient);

/// What is needed to open a pool, should it be sealed. The passphrase is fetched when it is needed, and once.
pub struct Unlock {
    whence: Whence,
    opened: Option<(Seal, Opener)>,
}

impl std::fmt::Debug for Unlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a passphrase from {:?}", self.whence)
    }
}

impl Unlock {
    /// With the passphrase from there.
    pub fn new(whence: Whence) -> Self {
        Unlock { whence, opened: None }
    }

    /// A new seal, which is open from now on. `what` it is for is shown where the passphrase is asked for.
    pub fn make(&mut self, what: &str) -> Result<Seal, String> {
        let passphrase = self.whence.fetch(what, Use::Make)?;
        let (seal, opener) = Seal::new(&passphrase).map_err(|error| format!("{what} cannot be sealed: {error}"))?;
        self.opened = Some((seal.clone(), opener));
        Ok(seal)
    }

    /// Opens a seal.
    pub fn open(&mut self, what: &str, seal: &Seal) -> Result<Opener, String> {
        if let Some((_, opener)) = self.opened.as_ref().filter(|(opened, _)| opened == seal) {
            return Ok(opener.clone());
        }
        let passphrase = self.whence.fetch(what, Use::Open)?;
        let opener = seal.open(&passphrase).map_err(|closed| closed.to_string())?;
        self.opened = Some((seal.clone(), opener.clone()));
        Ok(opener)
    }
}

impl Seal {
    /// A new seal, and what opens it.
    pub fn new(passphrase: &Passphrase) -> std::io::Result<(Self, Opener)> {
        Self::of_work(passphrase, WORK)
    }

    fn of_work(passphrase: &Passphrase, work: u8) -> std::io::Result<(Self, Opener)> {
        let identity = x25519::Identity::generate();
        let mut by_passphrase = scrypt::Recipient::new(SecretString::from(passphrase.reveal()));
        by_passphrase.set_work_factor(work);
        let text = identity.to_string();
        let kept = encrypted(&by_passphrase, text.expose_secret().as_bytes())?;
        Ok((Seal { recipient: identity.to_public().to_string(), identity: kept }, Opener(identity)))
    }

    /// What opens it.
    pub fn open(&self, passphrase: &Passphrase) -> Result<Opener, Closed> {
        let mut by_passphrase = scrypt::Identity::new(SecretString::from(passphrase.reveal()));
        by_passphrase.set_max_work_factor(MOST_WORK);
        let text = decrypted(&by_passphrase, &self.identity)?;
        let text = std::str::from_utf8(&text).map_err(damaged)?;
        let identity: x25519::Identity = text.parse().map_err(damaged)?;
        if identity.to_public().to_string() == self.recipient {
            Ok(Opener(identity))
        } else {
            Err(damaged("the recipient is not the identity's"))
        }
    }

    /// What lines are sealed with.
    pub fn sealer(&self) -> Result<Sealer, Closed> {
        self.recipient.parse().map(Sealer).map_err(damaged)
    }
}

impl Sealer {
    /// Seals a line.
    pub fn seal(&self, line: &[u8]) -> std::io::Result<String> {
        encrypted(&self.0, line)
    }
}

impl Opener {
    /// Opens a line.
    pub fn open(&self, sealed: &str) -> Result<Vec<u8>, Closed> {
        decrypted(&self.0, sealed)
    }
}

fn encrypted(recipient: &dyn age::Recipient, plain: &[u8]) -> std::io::Result<String> {
    let encryptor = Encryptor::with_recipients(iter::once(recipient)).map_err(std::io::Error::other)?;
    let mut sealed = Vec::with_capacity(plain.len() + 256);
    let mut writer = encryptor.wrap_output(&mut sealed)?;
    writer.write_all(plain)?;
    writer.finish()?;
    Ok(STANDARD.encode(sealed))
}

fn decrypted(identity: &dyn age::Identity, sealed: &str) -> Result<Vec<u8>, Closed> {
    let sealed = STANDARD.decode(sealed).map_err(damaged)?;
    let decryptor = Decryptor::new_buffered(sealed.as_slice()).map_err(damaged)?;
    let opened = decryptor.decrypt(iter::once(identity));
    let mut reader = opened.map_err(|error| match error {
        age::DecryptError::DecryptionFailed
        | age::DecryptError::NoMatchingKeys
        | age::DecryptError::KeyDecryptionFailed => Closed::WrongPassphrase,
        other => damaged(other),
    })?;
    let mut plain = Vec::new();
    reader.read_to_end(&mut plain).map_err(damaged)?;
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_opened_with_the_passphrase_and_with_no_other() {
        let right = Passphrase::new("correct horse");
        let (seal, _) = Seal::of_work(&right, 4).expect("made");
        let sealed = seal.sealer().expect("a recipient").seal(b"line").expect("sealed");
        assert!(!sealed.contains("line"));
        assert_eq!(seal.open(&right).map(|opener| opener.open(&sealed)).ok(), Some(Ok(b"line".to_vec())));
        let wrong = seal.open(&Passphrase::new("battery staple")).map(|_| ());
        assert_eq!(wrong, Err(Closed::WrongPassphrase));
    }

    #[test]
    fn what_was_tampered_with_is_told_from_a_wrong_passphrase() {
        let passphrase = Passphrase::new("correct horse");
        let (seal, opener) = Seal::of_work(&passphrase, 4).expect("made");
        let (other, _) = Seal::of_work(&passphrase, 4).expect("made");
        let mixed = Seal { recipient: other.recipient, ..seal.clone() };
        assert!(matches!(mixed.open(&passphrase), Err(Closed::Damaged(_))));
        let sealed = seal.sealer().expect("a recipient").seal(b"line").expect("sealed");
        let mut bytes = STANDARD.decode(&sealed).expect("base64");
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
        for wrong in [STANDARD.encode(&bytes), sealed[..sealed.len() - 8].to_owned(), "{}".to_owned()] {
            assert!(matches!(opener.open(&wrong), Err(Closed::Damaged(_))));
        }
    }

    #[test]
    fn more_work_than_is_borne_is_not_begun() {
        let passphrase = Passphrase::new("correct horse");
        let (seal, _) = Seal::of_work(&passphrase, 4).expect("made");
        let text = STANDARD.decode(&seal.identity).expect("base64");
        let text = String::from_utf8_lossy(&text).into_owned();
        // The bytes after the header are no text; nothing reads as far.
        let greedy = Seal { identity: STANDARD.encode(text.replacen(" 4\n", " 40\n", 1)), ..seal };
        assert!(matches!(greedy.open(&passphrase), Err(Closed::Damaged(_))));
    }
}
