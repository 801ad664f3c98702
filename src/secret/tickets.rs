//! Addresses that are as good as a password: a page that is open for one user, and what that page makes.

use reqwest::Url;

use super::{Secret, SecretKind};

/// A part of an address that is shorter than this can be guessed, and is no secret.
const SHORTEST: usize = 16;

/// The parts of an address that nobody can guess: path segments and values of the query.
pub fn tickets(address: &str) -> Vec<Secret> {
    // Of a path alone the host does not matter.
    let base = Url::parse("http://localhost/").ok();
    let Some(url) = base.and_then(|base| base.join(address).ok()) else { return Vec::new() };
    let segments = url.path_segments().into_iter().flatten().map(str::to_owned);
    let values = url.query_pairs().map(|(_, value)| value.into_owned());
    let long = segments.chain(values).filter(|part| part.len() >= SHORTEST);
    long.map(|part| Secret::new(SecretKind::WebSession, part)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_guessed_is_no_ticket() {
        let found = |address: &str| -> Vec<String> {
            tickets(address).iter().map(|ticket| ticket.reveal().to_owned()).collect()
        };
        assert_eq!(found("https://registry.example.test/-/v1/done/0123456789abcdef"), ["0123456789abcdef"]);
        assert_eq!(found("/-/v1/done?session=0123456789abcdef&next=1"), ["0123456789abcdef"]);
        assert_eq!(found("/-/v1/login"), Vec::<String>::new());
        assert_eq!(found("http://["), Vec::<String>::new());
    }
}
