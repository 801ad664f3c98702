//! A request's path, cut into decoded segments.
//!
//! A scoped package's name is one segment however it was written: `/@s%2fn`, `/%40s%2Fn` and
//! `/@s/n` all begin with the segment `@s/n`. The routes therefore never see half a name.

use percent_encoding::percent_decode_str;

use super::Refusal;

/// Where a package name can stand, as the literal segments in front of it.
const BEFORE_NAMES: &[&[&str]] = &[&[], &["-", "package"], &["-", "stage", "package"], &["-", "user", "package"]];

/// Cuts a raw path. Empty segments (doubled or trailing slashes) are dropped.
pub(crate) fn segments(path: &str) -> Result<Vec<String>, Refusal> {
    let mut decoded = Vec::new();
    for raw in path.split('/').filter(|raw| !raw.is_empty()) {
        let segment = percent_decode_str(raw).decode_utf8().map_err(|_| Refusal::malformed("the path is not UTF-8"))?;
        decoded.push(segment.into_owned());
    }
    let place = BEFORE_NAMES.iter().find(|before| {
        decoded.len() > before.len() + 1
            && decoded.iter().zip(before.iter()).all(|(a, b)| a == b)
            && is_half_a_name(&decoded[before.len()])
    });
    if let Some(before) = place {
        let name = decoded.remove(before.len() + 1);
        decoded[before.len()].push('/');
        decoded[before.len()].push_str(&name);
    }
    Ok(decoded)
}

/// How the scope of a package's name is told from the rest of the name in a raw path. Only faults ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// `@scope%2fname`.
    Lower,
    /// `@scope%2Fname`.
    Upper,
    /// `@scope/name`.
    Slash,
}

impl Spelling {
    /// The spelling of a raw path, if it has a scope whose `@` is written as it is.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let (_, scoped) = path.split_once("/@")?;
        let end = &scoped[scoped.find(['/', '%'])?..];
        match (end.get(..1), end.get(..3)) {
            (_, Some("%2f")) => Some(Spelling::Lower),
            (_, Some("%2F")) => Some(Spelling::Upper),
            (Some("/"), _) => Some(Spelling::Slash),
            _ => None,
        }
    }
}

fn is_half_a_name(segment: &str) -> bool {
    segment.starts_with('@') && !segment.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(path: &str) -> Vec<String> {
        segments(path).unwrap()
    }

    #[test]
    fn a_scoped_name_is_one_segment_however_it_is_written() {
        for path in ["/@s%2fn", "/%40s%2Fn", "/@s/n", "//@s/n/"] {
            assert_eq!(cut(path), ["@s/n"]);
        }
        for path in ["/-/package/@s/n/access", "/-/package/%40s%2Fn/access"] {
            assert_eq!(cut(path), ["-", "package", "@s/n", "access"]);
        }
        assert_eq!(cut("/@s/n/-/n-1.0.0.tgz"), ["@s/n", "-", "n-1.0.0.tgz"]);
    }

    #[test]
    fn the_spelling_of_a_scope_is_told_apart() {
        for (path, spelling) in [
            ("/@s%2fn", Some(Spelling::Lower)),
            ("/@s%2Fn/-rev/1", Some(Spelling::Upper)),
            ("/-/package/@s/n/access", Some(Spelling::Slash)),
            ("/%40s%2Fn", None),
            ("/n", None),
            ("/@s", None),
        ] {
            assert_eq!(Spelling::of(path), spelling, "{path}");
        }
    }

    #[test]
    fn other_segments_stay_as_they_are() {
        assert_eq!(cut("/"), [""; 0]);
        assert_eq!(cut("/n/1.0.0"), ["n", "1.0.0"]);
        assert_eq!(cut("/-/team/@s/t/user"), ["-", "team", "@s", "t", "user"]);
        assert_eq!(cut("/@s"), ["@s"]);
        assert!(segments("/%ff").is_err());
    }
}
