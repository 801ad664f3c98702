//! Names, parsed once. The rest of the registry never sees a raw one.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::registry::wire::Refusal;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) struct $name(Arc<str>);

        impl $name {
            pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
                if $check(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(Refusal::malformed(concat!("that is no name of a ", $what)))
                }
            }

            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// A user's name.
    UserName, "user", is_plain
);
name!(
    /// The name of a scope, without its `@`. A user and an organisation cannot share one.
    ScopeName, "scope", is_plain
);
name!(
    /// A team's name within its scope.
    TeamName, "team", is_plain
);
name!(
    /// A package's name, scoped (`@s/n`) or not.
    PackageName, "package", is_package
);

/// Letters in lower case, digits, `.`, `_`, `-` and `~`, beginning with a letter or digit.
fn is_plain(text: &str) -> bool {
    text.len() <= 100
        && text.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-~".contains(&byte))
}

/// npm's rules for new packages: at most 214 characters, safe in an address.
fn is_package(text: &str) -> bool {
    text.len() <= 214
        && match text.strip_prefix('@') {
            Some(scoped) => scoped.split_once('/').is_some_and(|(scope, name)| is_plain(scope) && is_plain(name)),
            None => is_plain(text),
        }
}

impl ScopeName {
    /// Reads a scope with or without its `@`.
    pub(crate) fn parse_lenient(text: &str) -> Result<Self, Refusal> {
        Self::parse(text.strip_prefix('@').unwrap_or(text))
    }

    /// The scope that a user owns by name.
    pub(crate) fn of_user(user: &UserName) -> Self {
        Self(user.0.clone())
    }
}

impl PackageName {
    pub(crate) fn scope(&self) -> Option<ScopeName> {
        let (scope, _) = self.0.strip_prefix('@')?.split_once('/')?;
        Some(ScopeName(scope.into()))
    }

    /// The name without its scope.
    pub(crate) fn unscoped(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The name of the tarball of a version.
    pub(crate) fn tarball(&self, version: &super::VersionNumber) -> String {
        format!("{}-{version}.tgz", self.unscoped())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_names_are_scoped_or_not_and_nothing_else() {
        let parse = PackageName::parse;
        assert_eq!(parse("left-pad").unwrap().scope(), None);
        assert_eq!(parse("@a/b").unwrap().scope().unwrap().as_str(), "a");
        assert_eq!(parse("@a/b").unwrap().unscoped(), "b");
        for wrong in ["", "-", "@a", "@a/", "@/b", "@a/b/c", "A", "a/b", "a b", ".a", "__proto__"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
