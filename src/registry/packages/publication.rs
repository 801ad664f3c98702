//! A version as a client sends it to be published.

use axum::body::Bytes;
use data_encoding::BASE64;
use serde_json::{Map, Value};

use super::integrity;
use crate::registry::model::{PackageName, VersionNumber, Visibility};
use crate::registry::wire::{Fields, Refusal};

/// One version, checked and unpacked, not yet published.
#[derive(Debug, Clone)]
pub(in crate::registry) struct Publication {
    pub(super) version: VersionNumber,
    pub(super) manifest: Map<String, Value>,
    pub(super) tarball: Bytes,
    pub(super) tags: Vec<String>,
    /// What a first publication asks for; later ones do not change visibility.
    pub(super) visibility: Visibility,
    pub(super) readme: String,
}

impl Publication {
    pub(super) fn parse(mut fields: Fields, name: &PackageName) -> Result<Self, Refusal> {
        if fields.text("name")?.is_some_and(|sent| sent != name.as_str()) {
            return Err(Refusal::malformed("the name in the body is not the one in the path"));
        }
        let (version, manifest) = only_version(fields.object("versions")?, name)?;
        let tarball = tarball(fields.object("_attachments")?)?;
        integrity::check(manifest.get("dist"), &tarball)?;
        let visibility = match fields.text("access")? {
            Some(access) => Visibility::parse(&access)?,
            None => Visibility::Public,
        };
        if visibility == Visibility::Restricted && name.scope().is_none() {
            return Err(Refusal::malformed("only a scoped package can be restricted"));
        }
        let tags = match fields.take("dist-tags") {
            None => Vec::new(),
            Some(Value::Object(tags)) => tags.into_iter().map(|(tag, _)| tag).collect(),
            Some(_) => return Err(Refusal::malformed("`dist-tags` is not an object")),
        };
        for tag in &tags {
            super::dist_tags::check(tag)?;
        }
        let readme = match fields.take("readme") {
            Some(Value::String(readme)) => readme,
            _ => text_of(&manifest, "readme"),
        };
        Ok(Self { version, manifest, tarball, tags, visibility, readme })
    }
}

fn only_version(
    versions: Map<String, Value>,
    name: &PackageName,
) -> Result<(VersionNumber, Map<String, Value>), Refusal> {
    let mut versions = versions.into_iter();
    let (Some((number, Value::Object(manifest))), None) = (versions.next(), versions.next()) else {
        return Err(Refusal::malformed("exactly one version is published at a time"));
    };
    if text_of(&manifest, "name") != name.as_str() || text_of(&manifest, "version") != number {
        return Err(Refusal::malformed("the manifest is not of that package and version"));
    }
    Ok((VersionNumber::parse(&number)?, manifest))
}

/// The one attached tarball. Other attachments (provenance) are not kept.
fn tarball(attachments: Map<String, Value>) -> Result<Bytes, Refusal> {
    let mut tarballs = attachments.into_iter().filter(|(file, _)| file.ends_with(".tgz"));
    let (Some((_, attachment)), None) = (tarballs.next(), tarballs.next()) else {
        return Err(Refusal::malformed("exactly one tarball is attached"));
    };
    let text = attachment.get("data").and_then(Value::as_str);
    let bytes = text.and_then(|text| BASE64.decode(text.as_bytes()).ok());
    let bytes = bytes.ok_or_else(|| Refusal::malformed("the attachment is not in base64"))?;
    let length = attachment.get("length").and_then(Value::as_u64);
    if length.is_some_and(|length| length != bytes.len() as u64) {
        return Err(Refusal::malformed("the attachment is not as long as it says"));
    }
    Ok(Bytes::from(bytes))
}

fn text_of(manifest: &Map<String, Value>, member: &str) -> String {
    let text = manifest.get(member).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}
