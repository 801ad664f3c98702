//! Archives on other hosts: where an address is, and how what lies there is fetched.

use std::sync::Arc;
use std::time::Instant;

use reqwest::Url;

use super::{Exchange, Fault, FaultKind, Reuse, Wire, is_loopback, locate};
use crate::dialect::predicate::Answer;

/// Where an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// On the target.
    Target,
    /// On a host that the target file names for archives.
    Archive,
    /// On another host.
    Elsewhere,
}

impl Wire {
    /// Such a client that may fetch archives from these hosts as well.
    pub fn with_archives(self, archives: Vec<Url>) -> Result<Self, String> {
        let Some(first) = archives.iter().find(|url| !is_loopback(url)).or(archives.first()).cloned() else {
            return Ok(self);
        };
        let fetching = Wire::trusting(first, Reuse::Never, self.trust.clone(), self.limits)?;
        Ok(Wire { archives: Some(Arc::new((fetching.client, archives))), ..self })
    }

    /// Where the address of an archive is: a path is on the target.
    pub fn whereabouts(&self, place: &str) -> Whereabouts {
        if locate(&self.base, place).is_ok() {
            return Whereabouts::Target;
        }
        let named = Url::parse(place).ok().filter(|url| url.username().is_empty() && url.password().is_none());
        let known = self.archives.iter().flat_map(|archives| &archives.1).map(Url::origin);
        match named.filter(|url| known.into_iter().any(|known| known == url.origin())) {
            Some(_) => Whereabouts::Archive,
            None => Whereabouts::Elsewhere,
        }
    }

    /// Where a redirect from this place leads, as an absolute address of http or https.
    pub fn followed(&self, from: &str, location: &str) -> Option<String> {
        let from = locate(&self.base, from).or_else(|_| Url::parse(from)).ok()?;
        let to = from.join(location).ok()?;
        matches!(to.scheme(), "http" | "https").then(|| to.into())
    }

    /// Fetches an archive from a host that may be asked for it, without credentials. The answer is absent when there was no
    /// usable one, or when the host may not be asked.
    pub async fn fetch(&self, address: &str, hide: impl Fn(&str) -> String) -> (Option<Answer>, Exchange) {
        let started = Instant::now();
        let mut exchange = Exchange::of(format!("GET {}", hide(address)));
        let fetched = match (&self.archives, self.whereabouts(address)) {
            (Some(archives), Whereabouts::Archive) => self.answered(archives.0.get(address)).await,
            (Some(_) | None, _) => {
                Err(Fault::new(FaultKind::NotSendable, "an address that no archive may be fetched from"))
            }
        };
        let answer = exchange.note(fetched, hide);
        exchange.elapsed_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        (answer, exchange)
    }
}
