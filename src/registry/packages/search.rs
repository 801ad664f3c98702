//! `GET /-/v1/search?text=&size=&from=`: the packages whose name, description or keywords hold
//! every word.

use serde_json::{Value, json};

use crate::registry::model::{Package, PackageName, Release, UserName};
use crate::registry::service::Desk;
use crate::registry::transaction::Transaction;
use crate::registry::wire::{Answer, Call, Reply, iso8601};

const DEFAULT_SIZE: usize = 20;
const LARGEST_SIZE: usize = 250;

/// Searches. Only what the visitor may see is found.
pub(crate) fn search(desk: &Desk, call: &Call) -> Reply {
    let text = call.query("text").unwrap_or_default().to_lowercase();
    let words: Vec<&str> = text.split_whitespace().collect();
    let number = |name, otherwise| {
        let sent = call.query(name).and_then(|text| text.parse().ok());
        sent.unwrap_or(otherwise)
    };
    let size = number("size", DEFAULT_SIZE).min(LARGEST_SIZE);
    let from = number("from", 0);
    let mut tx = Transaction::begin(desk);
    let visitor = tx.visitor(call);
    let found: Vec<(&PackageName, &Package, &Release)> = tx
        .packages
        .iter()
        .filter(|(name, package)| tx.may_see(name, package, visitor.as_ref()))
        .filter_map(|(name, package)| {
            let release = package.releases.get(package.resolve("latest")?)?;
            holds(name, release, &words).then_some((name, package, release))
        })
        .collect();
    let objects: Vec<Value> = found
        .iter()
        .skip(from)
        .take(size)
        .map(|(name, package, release)| {
            let maintainers: Value = package.owners.iter().map(|owner| tx.account(owner)).collect();
            json!({
                "package": {
                    "name": name.as_str(),
                    "scope": name.scope().map_or("unscoped".to_owned(), |scope| scope.to_string()),
                    "version": release.manifest.get("version"),
                    "description": release.manifest.get("description"),
                    "keywords": release.manifest.get("keywords").cloned().unwrap_or(json!([])),
                    "date": iso8601(release.published),
                    "links": { "npm": format!("{}/{name}", call.base()) },
                    "publisher": tx.account(&release.publisher),
                    "maintainers": maintainers,
                },
                "score": { "final": 1, "detail": { "quality": 1, "popularity": 1, "maintenance": 1 } },
                "searchScore": 1,
            })
        })
        .collect();
    let time = iso8601(tx.now());
    Ok(Answer::ok(json!({ "objects": objects, "total": found.len(), "time": time })))
}

fn holds(name: &PackageName, release: &Release, words: &[&str]) -> bool {
    let mut text = name.as_str().to_owned();
    for member in ["description", "keywords"] {
        if let Some(value) = release.manifest.get(member) {
            text.push(' ');
            text.push_str(&value.to_string());
        }
    }
    let text = text.to_lowercase();
    words.iter().all(|word| text.contains(word))
}

impl Transaction<'_> {
    /// A user as a search names him: unlike a packument, by `username`.
    fn account(&self, name: &UserName) -> Value {
        let user = self.users.get(name);
        let email = user.and_then(|user| user.profile.email.clone());
        json!({ "username": name.as_str(), "email": email.unwrap_or_default() })
    }
}
