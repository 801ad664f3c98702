//! Packages as clients read them.

use serde_json::{Map, Value, json};

use super::{Package, PackageName, Release, State, UserName, VersionNumber};
use crate::registry::wire::iso8601;

/// The members of a manifest that an installation needs (npm's abbreviated metadata format).
const ABBREVIATED: &[&str] = &[
    "name",
    "version",
    "deprecated",
    "dependencies",
    "optionalDependencies",
    "devDependencies",
    "bundleDependencies",
    "bundledDependencies",
    "peerDependencies",
    "peerDependenciesMeta",
    "acceptDependencies",
    "bin",
    "directories",
    "dist",
    "engines",
    "cpu",
    "os",
    "libc",
    "funding",
    "_hasShrinkwrap",
];

/// Scripts that run when a package is installed.
const INSTALL_SCRIPTS: [&str; 3] = ["preinstall", "install", "postinstall"];

impl State {
    /// The whole packument. `base` is the registry's own address.
    pub(crate) fn packument(&self, name: &PackageName, package: &Package, base: &str) -> Value {
        let versions: Map<String, Value> = package
            .releases
            .iter()
            .map(|(version, release)| {
                let manifest = manifest(name, release, base);
                (version.as_str().to_owned(), Value::Object(manifest))
            })
            .collect();
        let stars = package.stars.iter();
        let users: Map<String, Value> = stars.map(|star| (star.to_string(), json!(true))).collect();
        let mut packument = json!({
            "_id": name.as_str(),
            "_rev": package.revision.to_string(),
            "name": name.as_str(),
            "dist-tags": tags(package),
            "versions": versions,
            "time": times(package),
            "maintainers": self.maintainers(package),
            "users": users,
            "readme": package.readme,
        });
        let latest = package.resolve("latest");
        if let Some(release) = latest.and_then(|version| package.releases.get(version)) {
            for member in ["description", "keywords", "license", "repository", "homepage"] {
                if let Some(value) = release.manifest.get(member) {
                    packument[member] = value.clone();
                }
            }
        }
        packument
    }

    /// The maintainers as a packument lists them.
    pub(crate) fn maintainers(&self, package: &Package) -> Value {
        package.owners.iter().map(|owner| self.person(owner)).collect()
    }

    /// A user as a packument names him.
    pub(crate) fn person(&self, name: &UserName) -> Value {
        let user = self.users.get(name);
        let email = user.and_then(|user| user.profile.email.clone());
        json!({ "name": name.as_str(), "email": email.unwrap_or_default() })
    }
}

/// What an installation needs, and no more.
pub(crate) fn abbreviated(name: &PackageName, package: &Package, base: &str) -> Value {
    let versions: Map<String, Value> = package
        .releases
        .iter()
        .map(|(version, release)| {
            let full = manifest(name, release, base);
            let scripted = full
                .get("scripts")
                .is_some_and(|scripts| INSTALL_SCRIPTS.iter().any(|script| scripts.get(script).is_some()));
            let mut short: Map<String, Value> =
                full.into_iter().filter(|(member, _)| ABBREVIATED.contains(&member.as_str())).collect();
            if scripted {
                short.insert("hasInstallScript".to_owned(), json!(true));
            }
            (version.as_str().to_owned(), Value::Object(short))
        })
        .collect();
    json!({
        "name": name.as_str(),
        "dist-tags": tags(package),
        "versions": versions,
        "modified": iso8601(package.modified),
    })
}

/// A version's manifest, with its tarball's address on this registry.
pub(crate) fn manifest(name: &PackageName, release: &Release, base: &str) -> Map<String, Value> {
    let mut manifest = release.manifest.clone();
    let address = format!("{base}/{name}/-/{}", release.tarball);
    match manifest.get_mut("dist") {
        Some(Value::Object(dist)) => {
            dist.insert("tarball".to_owned(), json!(address));
        }
        _ => {
            manifest.insert("dist".to_owned(), json!({ "tarball": address }));
        }
    }
    manifest
}

/// The dist-tags.
pub(crate) fn tags(package: &Package) -> Value {
    let tagged = |(tag, version): (&String, &VersionNumber)| (tag.clone(), json!(version.as_str()));
    Value::Object(package.tags.iter().map(tagged).collect())
}

fn times(package: &Package) -> Value {
    let mut times = Map::new();
    times.insert("created".to_owned(), json!(iso8601(package.created)));
    times.insert("modified".to_owned(), json!(iso8601(package.modified)));
    for (version, release) in &package.releases {
        let published = json!(iso8601(release.published));
        times.insert(version.as_str().to_owned(), published);
    }
    Value::Object(times)
}
