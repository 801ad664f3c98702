//! Archives: what is published lies behind a redirect, or on another host, at many registries.
//!
//! A redirect within the target is followed. Another host is read where the target file names it in `archives`: by GET,
//! and without anything that the target has handed out. Where it does not, that is said once, and no failure.

use super::scene::{Ended, Mistake, Scene};
use crate::dialect::predicate::Answer;
use crate::dialect::step::Method;
use crate::judge::Outcome;
use crate::wire::{Outgoing, Whereabouts};

/// The most redirects that are followed to one archive.
const MOST_REDIRECTS: usize = 3;

impl Scene {
    /// Fetches an archive from wherever it lies. None where that is a host that the target file does not name; the answer is
    /// absent where there was no usable one.
    pub(super) async fn fetch_archive(&mut self, first: Outgoing) -> Result<Option<Option<Answer>>, Mistake> {
        let headers = first.headers.clone();
        let mut next = first;
        for _ in 0..=MOST_REDIRECTS {
            let wire = self.stage.wire.clone();
            let asked = next.place.clone();
            let (answer, exchange) = match wire.whereabouts(&asked) {
                Whereabouts::Target if next.method == Method::Get => wire.send(next, |text| self.hide(text)).await,
                Whereabouts::Archive => wire.fetch(&asked, |text| self.hide(text)).await,
                Whereabouts::Target | Whereabouts::Elsewhere => return Ok(self.lies_elsewhere(&asked)),
            };
            self.exchanges.push(exchange);
            let redirect = answer.as_ref().filter(|answer| matches!(answer.status, 301 | 302 | 303 | 307 | 308));
            let Some(location) = redirect.and_then(|answer| answer.header("location").next()) else {
                return Ok(Some(answer));
            };
            let Some(location) = wire.followed(&asked, location) else { return Ok(Some(answer)) };
            next = Outgoing {
                method: Method::Get,
                shown_place: self.hide(&location),
                place: location,
                headers: headers.clone(),
                body: None,
            };
        }
        let place = next.place;
        self.elsewhere = Some(format!(
            "more than {MOST_REDIRECTS} redirects lead to the archive, the last to {}",
            self.hide(&place)
        ));
        Ok(None)
    }

    /// Notes that an archive is on a host that the target file does not name.
    fn lies_elsewhere(&mut self, address: &str) -> Option<Option<Answer>> {
        let host = reqwest::Url::parse(address).ok().map_or_else(String::new, |url| url.origin().ascii_serialization());
        self.elsewhere = Some(format!(
            "archives are on {host}, which the target file does not name (`archives`): what is published is judged without them"
        ));
        self.unnamed.clone_from(&self.elsewhere);
        None
    }

    /// How a read ended of what is on such a host.
    pub(super) fn is_elsewhere(&self) -> (Ended, Option<Answer>) {
        let saw = self.elsewhere.clone().unwrap_or_default();
        (Ended { outcome: Outcome::Failed, saw }, None)
    }
}
