//! Who may be driven. This machine's own registries need no permission. Any other host is named in its target file with
//! what is allowed there; for load, and for what strains a host, it has to consent itself as well.
//!
//! There is no list of forbidden names and no way round: what is compared is the host that connections go to, no
//! redirect is followed, and an address that a target hands out must be on it. Archives of packages are read, by GET and
//! without credentials, from hosts that the file names for them, too.

use reqwest::Url;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::dialect::step::Method;
use crate::wire::{Outgoing, Wire, is_loopback};
use crate::yaml::Spanned;

/// Where a host serves its consent.
pub const PLACE: &str = "/.well-known/stepup-load";

/// The shortest confirmation string: one that no page has by accident.
const SHORTEST: usize = 16;

/// What a target file allows on a host other than this machine.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Allow {
    /// The host of `base`, with its port where that is not the scheme's own.
    #[schemars(with = "String")]
    pub host: Spanned<String>,
    /// What is allowed there.
    #[schemars(length(min = 1))]
    pub what: Vec<Permit>,
    /// What the host serves under `/.well-known/stepup-load`, as its own consent to load and to races.
    #[schemars(with = "Option<String>", length(min = SHORTEST))]
    pub consent: Option<Spanned<String>>,
}

/// Something that a target file can allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Permit {
    /// Checking and exploring: a few requests at a time.
    Check,
    /// Load, which needs the host's own consent as well.
    Load,
}

impl Permit {
    fn name(self) -> &'static str {
        match self {
            Permit::Check => "check",
            Permit::Load => "load",
        }
    }
}

/// The host of an address as a target file names it.
pub fn host_of(base: &Url) -> String {
    let host = base.host_str().unwrap_or_default();
    base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Whether the target file allows this on the host of `base`. The error is what is wrong, and a hint.
pub fn allowed(base: &Url, allow: Option<&Allow>, permit: Permit) -> Result<(), (String, String)> {
    if is_loopback(base) {
        return Ok(());
    }
    let (host, permit) = (host_of(base), (permit, permit.name()));
    let hint = format!("`allow: {{ host: \"{host}\", what: [{}] }}`, if its operator lets you", permit.1);
    let Some(allow) = allow else {
        return Err((format!("{host} is not this machine, and the target file does not allow it"), hint));
    };
    if allow.host.value != host {
        return Err((format!("`allow` is for `{}`, and `base` is on `{host}`", allow.host.value), hint));
    }
    if !allow.what.contains(&permit.0) {
        return Err((format!("`{}` is not allowed on {host}", permit.1), hint));
    }
    let short = allow.consent.as_ref().is_some_and(|consent| consent.value.trim().len() < SHORTEST);
    if short {
        let hint = "make one up, such as 32 hexadecimal digits".to_owned();
        return Err((format!("`consent` has fewer than {SHORTEST} characters"), hint));
    }
    Ok(())
}

/// Whether the host itself consents to load and to races. The error is why that is not known.
pub async fn given(wire: &Wire, consent: Option<&str>) -> Result<(), String> {
    if is_loopback(wire.base()) {
        return Ok(());
    }
    let Some(consent) = consent else {
        return Err("the target file states no `consent` that the host would confirm".to_owned());
    };
    let (answer, exchange) = wire.send(at_root(wire.base()), str::to_owned).await;
    match answer {
        Some(answer) if answer.status == 200 && String::from_utf8_lossy(&answer.body).trim() == consent.trim() => {
            Ok(())
        }
        Some(answer) if answer.status == 200 => Err(format!("{PLACE} of the host serves another text")),
        Some(answer) => Err(format!("{PLACE} of the host is answered {}", answer.status)),
        None => Err(format!("{PLACE} of the host: {}", exchange.fault.unwrap_or_default())),
    }
}

/// The consent is the host's, and not that of who may write below the registry's path.
fn at_root(base: &Url) -> Outgoing {
    let mut place = base.clone();
    place.set_path(PLACE);
    Outgoing {
        method: Method::Get,
        place: place.into(),
        shown_place: PLACE.to_owned(),
        headers: Vec::new(),
        body: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(base: &str, allow: &str) -> Result<(), String> {
        let allow: Option<Allow> =
            if allow.is_empty() { None } else { Some(crate::yaml::parse("mine.yaml", allow).expect("it parses")) };
        let base = Url::parse(base).expect("an address");
        allowed(&base, allow.as_ref(), Permit::Check).map_err(|(message, _)| message)
    }

    #[test]
    fn only_the_host_that_is_named_may_be_driven() {
        for own in ["http://127.0.0.1:1/", "http://127.0.0.2/", "https://localhost/", "http://[::1]:4/"] {
            assert_eq!(verdict(own, ""), Ok(()), "{own}");
        }
        let named = "{ host: registry.example.test, what: [check] }";
        assert_eq!(verdict("https://registry.example.test/npm/", named), Ok(()));
        assert_eq!(verdict("https://REGISTRY.example.test/", named), Ok(()));
        for (base, allow, seen) in [
            ("https://registry.example.test/", "", "does not allow it"),
            ("https://localhost.example.test/", "", "does not allow it"),
            ("https://127.0.0.1.example.test/", "", "does not allow it"),
            ("http://0.0.0.0/", "", "does not allow it"),
            ("http://192.0.2.1/", named, "`base` is on `192.0.2.1`"),
            ("https://registry.example.test:8443/", named, "`base` is on `registry.example.test:8443`"),
            ("https://other.example.test/", named, "`base` is on `other.example.test`"),
            (
                "https://registry.example.test/",
                "{ host: registry.example.test, what: [load] }",
                "`check` is not allowed",
            ),
            (
                "https://registry.example.test/",
                "{ host: registry.example.test, what: [check], consent: yes-do }",
                "fewer than 16",
            ),
        ] {
            let refused = verdict(base, allow).expect_err(base);
            assert!(refused.contains(seen), "{base}: {refused}");
        }
    }
}
