//! The rows of the tables as deeds: how each is prepared, done, and seen.

use serde_json::json;

use super::{Reply, User, World, escape};

/// A row of the documented tables, or a write that they do not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    LogIn,
    WebLogIn,
    SetProfile,
    SetPassword,
    ChangeMode,
    Disable,
    CreateToken,
    RevokeToken,
    Publish,
    UnpublishVersion,
    UnpublishAll,
    Deprecate,
    Restrict,
    Grant,
    RevokeGrant,
    RequireTwoFactor,
    AddOwner,
    TagLatest,
    TagOther,
    CreateTeam,
    AddTeamMember,
    SetOrgMember,
    AddHook,
    Star,
    Stage,
    ApproveStage,
    LogOut,
}

use Deed::*;

pub const BOTH_MODES: &[Deed] =
    &[LogIn, WebLogIn, SetProfile, SetPassword, ChangeMode, Disable, CreateToken, RevokeToken];
pub const WRITES_MODE: &[Deed] = &[
    Publish,
    UnpublishVersion,
    UnpublishAll,
    Deprecate,
    Restrict,
    Grant,
    RevokeGrant,
    RequireTwoFactor,
    AddOwner,
    TagLatest,
    CreateTeam,
    AddTeamMember,
    SetOrgMember,
    AddHook,
    ApproveStage,
];
pub const NEVER: &[Deed] = &[TagOther, Star, Stage, LogOut];

/// One object that a deed is done to, made before the doer has a second factor.
pub struct Subject {
    package: String,
    scope: String,
    /// Whatever the deed needs: a token's key, a stage's identifier, a page's address.
    handle: String,
    opposite_mode: &'static str,
}

impl World {
    /// Prepares a subject. `user` must not have a second factor yet.
    pub async fn prepare(&self, user: &User, deed: Deed, mode: &str, nth: usize) -> Subject {
        let scope = format!("{}-org{nth}", user.name);
        let package = format!("@{scope}/p");
        let mut handle = String::new();
        if !BOTH_MODES.contains(&deed) && deed != Publish && deed != LogOut {
            for version in ["1.0.0", "1.1.0"] {
                self.published(user, &package, version).await;
            }
        }
        match deed {
            RevokeToken => {
                let body = json!({ "password": user.password, "readonly": false });
                let reply = self.call(user, "POST", "/-/npm/v1/tokens", Some(body), None).await;
                handle = reply.json()["key"].as_str().unwrap().to_owned();
            }
            Grant | RevokeGrant | AddTeamMember => {
                let path = format!("/-/org/{scope}/team");
                let body = json!({ "name": "devs" });
                assert!(self.call(user, "PUT", &path, Some(body), None).await.is_success());
                if deed == RevokeGrant {
                    let subject = Subject {
                        package: package.clone(),
                        scope: scope.clone(),
                        handle: String::new(),
                        opposite_mode: "",
                    };
                    assert!(self.act(user, Grant, &subject, None).await.is_success());
                }
            }
            ApproveStage => {
                let path = format!("/-/stage/package/{}", escape(&package));
                let body = super::publication(&package, "2.0.0");
                let reply = self.call(user, "POST", &path, Some(body), None).await;
                handle = reply.json()["stageId"].as_str().unwrap().to_owned();
            }
            LogOut => {
                let reply = self.log_in(&user.name, &user.password, None).await;
                handle = reply.json()["token"].as_str().unwrap().to_owned();
            }
            WebLogIn => {
                let start = super::send(self.request("POST", "/-/v1/login").json(&json!({}))).await;
                let path = |member: &str| {
                    let address = start.json()[member].as_str().unwrap().to_owned();
                    address.strip_prefix(&self.base).unwrap().to_owned()
                };
                handle = format!("{} {}", path("loginUrl"), path("doneUrl"));
            }
            _ => {}
        }
        let opposite_mode = if mode == super::WRITES { super::AUTH_ONLY } else { super::WRITES };
        Subject { package, scope, handle, opposite_mode }
    }

    /// Does a deed, with or without a proof.
    pub async fn act(&self, user: &User, deed: Deed, subject: &Subject, proof: Option<&str>) -> Reply {
        let Subject { package, scope, handle, .. } = subject;
        let escaped = escape(package);
        let revision = self.revision(user, package).await;
        let (method, path, body) = match deed {
            LogIn => return self.log_in(&user.name, &user.password, proof).await,
            WebLogIn => {
                let page = handle.split(' ').next().unwrap();
                let otp = proof.map(|proof| format!("&otp={proof}")).unwrap_or_default();
                let name = &user.name;
                let password = user.password.replace(' ', "+");
                let form = format!("username={name}&password={password}{otp}");
                return super::send(self.request("POST", page).body(form)).await;
            }
            SetProfile => ("POST", "/-/npm/v1/user".to_owned(), Some(json!({ "fullname": scope }))),
            SetPassword => (
                "POST",
                "/-/npm/v1/user".to_owned(),
                Some(json!({ "password": { "old": user.password, "new": format!("new {scope}") } })),
            ),
            ChangeMode => (
                "POST",
                "/-/npm/v1/user".to_owned(),
                Some(json!({ "tfa": { "password": user.password, "mode": subject.opposite_mode } })),
            ),
            Disable => (
                "POST",
                "/-/npm/v1/user".to_owned(),
                Some(json!({ "tfa": { "password": user.password, "mode": "disable" } })),
            ),
            CreateToken => (
                "POST",
                "/-/npm/v1/tokens".to_owned(),
                Some(json!({ "password": user.password, "readonly": false, "cidr_whitelist": [] })),
            ),
            RevokeToken => ("DELETE", format!("/-/npm/v1/tokens/token/{handle}"), None),
            Publish => ("PUT", format!("/{escaped}"), Some(super::publication(package, "1.0.0"))),
            UnpublishVersion => {
                let mut packument = self.packument(user, package).await;
                packument["versions"].as_object_mut().unwrap().remove("1.0.0");
                ("PUT", format!("/{escaped}/-rev/{revision}"), Some(packument))
            }
            UnpublishAll => ("DELETE", format!("/{escaped}/-rev/{revision}"), None),
            Deprecate => {
                let mut packument = self.packument(user, package).await;
                packument["versions"]["1.0.0"]["deprecated"] = json!("too old");
                ("PUT", format!("/{escaped}"), Some(packument))
            }
            Restrict => ("POST", format!("/-/package/{escaped}/access"), Some(json!({ "access": "restricted" }))),
            RequireTwoFactor => {
                ("POST", format!("/-/package/{escaped}/access"), Some(json!({ "publish_requires_tfa": true })))
            }
            Grant => (
                "PUT",
                format!("/-/team/{scope}/devs/package"),
                Some(json!({ "package": package, "permissions": "read-only" })),
            ),
            RevokeGrant => ("DELETE", format!("/-/team/{scope}/devs/package"), Some(json!({ "package": package }))),
            AddOwner => (
                "PUT",
                format!("/{escaped}/-rev/{revision}"),
                Some(json!({ "maintainers": [{ "name": user.name }, { "name": "friend" }] })),
            ),
            TagLatest => ("PUT", format!("/-/package/{escaped}/dist-tags/latest"), Some(json!("1.0.0"))),
            TagOther => ("PUT", format!("/-/package/{escaped}/dist-tags/beta"), Some(json!("1.0.0"))),
            CreateTeam => ("PUT", format!("/-/org/{scope}/team"), Some(json!({ "name": "devs" }))),
            AddTeamMember => ("PUT", format!("/-/team/{scope}/devs/user"), Some(json!({ "user": "friend" }))),
            SetOrgMember => {
                ("PUT", format!("/-/org/{scope}/user"), Some(json!({ "user": "friend", "role": "developer" })))
            }
            AddHook => (
                "POST",
                "/-/npm/v1/hooks/hook".to_owned(),
                Some(json!({ "type": "package", "name": package, "endpoint": "http://127.0.0.1/x", "secret": "s" })),
            ),
            Star => ("PUT", format!("/{escaped}"), Some(json!({ "users": { user.name.as_str(): true } }))),
            Stage => ("POST", format!("/-/stage/package/{escaped}"), Some(super::publication(package, "2.0.0"))),
            ApproveStage => ("POST", format!("/-/stage/{handle}/approve"), None),
            LogOut => ("DELETE", format!("/-/user/token/{handle}"), None),
        };
        self.call(user, method, &path, body, proof).await
    }

    /// Whether a deed has been done, as a read shows it. For deeds that answer with a token, the
    /// reply to the deed is looked at as well.
    pub async fn is_done(&self, user: &User, deed: Deed, subject: &Subject, reply: Option<&Reply>) -> bool {
        let Subject { package, scope, handle, .. } = subject;
        let escaped = escape(package);
        let packument = self.packument(user, package).await;
        let profile = self.read(user, "/-/npm/v1/user").await.json();
        let listed = async |path: String| self.read(user, &path).await.text;
        match deed {
            LogIn => match reply.filter(|reply| reply.is_success()) {
                Some(reply) => {
                    let token = reply.json()["token"].as_str().unwrap().to_owned();
                    let user = User { token, ..user.clone() };
                    self.read(&user, "/-/whoami").await.is_success()
                }
                None => false,
            },
            WebLogIn => {
                let done = handle.split(' ').nth(1).unwrap();
                self.get(done).await.status == 200
            }
            SetProfile => profile["fullname"] == json!(scope),
            SetPassword => {
                let reply = self.log_in(&user.name, &format!("new {scope}"), None).await;
                reply.is_success() || reply.is_challenge()
            }
            ChangeMode => profile["tfa"]["mode"] == json!(subject.opposite_mode),
            Disable => profile["tfa"].is_null(),
            CreateToken => {
                let tokens = self.read(user, "/-/npm/v1/tokens").await.json();
                tokens["total"].as_u64().unwrap() > 1
            }
            RevokeToken => !listed("/-/npm/v1/tokens".to_owned()).await.contains(handle.as_str()),
            Publish => !packument["versions"]["1.0.0"].is_null(),
            UnpublishVersion | UnpublishAll => packument["versions"]["1.0.0"].is_null(),
            Deprecate => packument["versions"]["1.0.0"]["deprecated"] == json!("too old"),
            Restrict => self.get(&format!("/{escaped}")).await.status == 404,
            RequireTwoFactor => {
                let access = self.read(user, &format!("/-/package/{escaped}/access")).await;
                access.json()["publish_requires_tfa"] == json!(true)
            }
            Grant => listed(format!("/-/team/{scope}/devs/package")).await.contains(package.as_str()),
            RevokeGrant => !listed(format!("/-/team/{scope}/devs/package")).await.contains(package.as_str()),
            AddOwner => packument["maintainers"].to_string().contains("friend"),
            TagLatest => packument["dist-tags"]["latest"] == json!("1.0.0"),
            TagOther => packument["dist-tags"]["beta"] == json!("1.0.0"),
            CreateTeam => listed(format!("/-/org/{scope}/team")).await.contains("devs"),
            AddTeamMember => listed(format!("/-/team/{scope}/devs/user")).await.contains("friend"),
            SetOrgMember => listed(format!("/-/org/{scope}/user")).await.contains("friend"),
            AddHook => listed("/-/npm/v1/hooks".to_owned()).await.contains(package.as_str()),
            Star => packument["users"][&user.name] == json!(true),
            Stage => listed("/-/stage".to_owned()).await.contains(package.as_str()),
            ApproveStage => !packument["versions"]["2.0.0"].is_null(),
            LogOut => {
                let user = User { token: handle.clone(), ..user.clone() };
                self.read(&user, "/-/whoami").await.status == 401
            }
        }
    }
}
