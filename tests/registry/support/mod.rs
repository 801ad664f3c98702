//! A registry on a loopback port with a clock of its own, and users who do things to it.
#![allow(dead_code, reason = "each test file uses a part of this")]

pub mod deed;
pub mod keys;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use data_encoding::{BASE32_NOPAD, BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use stepup::registry::{Mutants, Registry, Settings, serve};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub const AUTH_ONLY: &str = "auth-only";
pub const WRITES: &str = "auth-and-writes";
pub const BOTH: [&str; 2] = [AUTH_ONLY, WRITES];

/// A running registry.
pub struct World {
    pub base: String,
    pub registry: Registry,
    clock: Arc<AtomicU64>,
    http: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<std::io::Result<()>>>,
}

/// A user with a session, and perhaps a second factor.
#[derive(Clone)]
pub struct User {
    pub name: String,
    pub password: String,
    pub token: String,
    pub seed: Vec<u8>,
    pub recovery: Vec<String>,
    /// Whether the user's client can show pages.
    pub web: bool,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl World {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn broken(mutants: impl Into<Mutants>) -> Self {
        let mutants = mutants.into();
        Self::with(move |settings| settings.mutants = mutants).await
    }

    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let clock = Arc::new(AtomicU64::new(1_700_000_010));
        let ticking = Arc::clone(&clock);
        let mut settings =
            Settings::new(Arc::new(move || UNIX_EPOCH + Duration::from_secs(ticking.load(Ordering::SeqCst))));
        change(&mut settings);
        let registry = Registry::new(settings);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(serve(listener, registry.clone(), async {
            drop(stopped.await);
        }));
        Self { base, registry, clock, http: client(), stop: Some(stop), served: Some(served) }
    }

    /// Shuts the registry down and says how that went.
    pub async fn shut_down(mut self) -> std::io::Result<()> {
        drop(self.stop.take());
        self.served.take().unwrap().await.unwrap()
    }

    pub fn pass(&self, seconds: u64) {
        self.clock.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn now(&self) -> u64 {
        self.clock.load(Ordering::SeqCst)
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.request_at(&self.base, method, path)
    }

    /// A request to the registry under another name of its own.
    pub fn request_at(&self, base: &str, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.http.request(method, format!("{base}{path}"))
    }

    pub async fn get(&self, path: &str) -> Reply {
        send(self.request("GET", path)).await
    }

    /// A user's request, with a body and a proof if there are any.
    pub async fn call(&self, user: &User, method: &str, path: &str, body: Option<Value>, proof: Option<&str>) -> Reply {
        let mut request = self.request(method, path).bearer_auth(&user.token);
        if user.web {
            request = request.header("npm-auth-type", "web");
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        if let Some(proof) = proof {
            request = request.header("npm-otp", proof);
        }
        send(request).await
    }

    pub async fn read(&self, user: &User, path: &str) -> Reply {
        self.call(user, "GET", path, None, None).await
    }

    /// A new user without 2FA.
    pub async fn sign_up(&self, name: &str) -> User {
        let password = format!("password of {name}");
        let reply = self.log_in(name, &password, None).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        User {
            name: name.to_owned(),
            password,
            token: reply.json()["token"].as_str().unwrap().to_owned(),
            seed: Vec::new(),
            recovery: Vec::new(),
            web: false,
        }
    }

    pub async fn log_in(&self, name: &str, password: &str, proof: Option<&str>) -> Reply {
        let path = format!("/-/user/org.couchdb.user:{name}");
        let body = json!({ "name": name, "password": password, "type": "user" });
        let mut request = self.request("PUT", &path).json(&body);
        if let Some(proof) = proof {
            request = request.header("npm-otp", proof);
        }
        send(request).await
    }

    /// Enables 2FA for a user, and goes on to a step whose code is unspent.
    pub async fn enrol(&self, user: &mut User, mode: &str) {
        let reply = self.begin_enrolment(user, Some(mode)).await;
        user.seed = seed_in(&reply);
        let code = self.code(user);
        let reply = self.profile(user, json!({ "tfa": [code] }), None).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let codes = reply.json()["tfa"].as_array().unwrap().clone();
        user.recovery = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
        self.pass(30);
    }

    pub async fn enrolled(&self, name: &str, mode: &str) -> User {
        let mut user = self.sign_up(name).await;
        self.enrol(&mut user, mode).await;
        user
    }

    pub async fn begin_enrolment(&self, user: &User, mode: Option<&str>) -> Reply {
        let mut tfa = json!({ "password": user.password });
        if let Some(mode) = mode {
            tfa["mode"] = json!(mode);
        }
        self.profile(user, json!({ "tfa": tfa }), None).await
    }

    pub async fn profile(&self, user: &User, body: Value, proof: Option<&str>) -> Reply {
        self.call(user, "POST", "/-/npm/v1/user", Some(body), proof).await
    }

    /// The code of the present step.
    pub fn code(&self, user: &User) -> String {
        code_at(&user.seed, self.now() / 30)
    }

    /// A code that no step near the present one has.
    pub fn wrong_code(&self, user: &User) -> String {
        let step = self.now() / 30;
        let near: Vec<String> = (step - 11..=step + 11).map(|step| code_at(&user.seed, step)).collect();
        (0..).map(|number| format!("{number:06}")).find(|code| !near.contains(code)).unwrap()
    }

    /// The code of the present step, and then on to the next step.
    pub fn fresh_code(&self, user: &User) -> String {
        self.pass(30);
        self.code(user)
    }

    pub async fn publish(&self, user: &User, name: &str, version: &str, proof: Option<&str>) -> Reply {
        let body = publication(name, version);
        let path = format!("/{}", escape(name));
        self.call(user, "PUT", &path, Some(body), proof).await
    }

    pub async fn published(&self, user: &User, name: &str, version: &str) {
        let reply = self.publish(user, name, version, None).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
    }

    pub async fn packument(&self, user: &User, name: &str) -> Value {
        let reply = self.read(user, &format!("/{}?write=true", escape(name))).await;
        if reply.status == 404 { Value::Null } else { reply.json() }
    }

    pub async fn revision(&self, user: &User, name: &str) -> String {
        let packument = self.packument(user, name).await;
        packument["_rev"].as_str().unwrap_or("none").to_owned()
    }
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("JSON: {}", self.text))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The shape that every client understands (wire notes §2.1).
    pub fn is_challenge(&self) -> bool {
        self.status == 401
            && self.header("www-authenticate") == Some("OTP")
            && self.json()["error"].as_str().is_some_and(|error| error.contains("one-time pass"))
    }

    /// Refused with this status, in a way that no client takes for a challenge.
    pub fn is_plain(&self, status: u16) -> bool {
        let header = self.header("www-authenticate").unwrap_or("").to_lowercase();
        self.status == status && !header.contains("otp") && !self.text.contains("one-time pass")
    }

    pub fn is_success(&self) -> bool {
        self.status.is_success()
    }
}

pub async fn send(request: reqwest::RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    Reply { status: response.status(), headers: response.headers().clone(), text: response.text().await.unwrap() }
}

/// The secret in an enrolment address.
pub fn seed_in(reply: &Reply) -> Vec<u8> {
    let address = reply.json()["tfa"].as_str().unwrap().to_owned();
    assert!(address.starts_with("otpauth://totp/"), "{address}");
    let secret = address.split("secret=").nth(1).unwrap();
    let secret = secret.split('&').next().unwrap();
    BASE32_NOPAD.decode(secret.as_bytes()).unwrap()
}

/// RFC 4226 and 6238, written out: the registry uses a library for it.
pub fn code_at(seed: &[u8], step: u64) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(seed).unwrap();
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest[19] & 15);
    let word: [u8; 4] = digest[offset..offset + 4].try_into().unwrap();
    format!("{:06}", (u32::from_be_bytes(word) & 0x7fff_ffff) % 1_000_000)
}

pub fn escape(name: &str) -> String {
    name.replace('/', "%2f")
}

pub fn tarball_of(name: &str, version: &str) -> Vec<u8> {
    format!("the tarball of {name}@{version}").into_bytes()
}

/// What a client sends to publish.
pub fn publication(name: &str, version: &str) -> Value {
    let tarball = tarball_of(name, version);
    let shasum = HEXLOWER.encode(&Sha1::digest(&tarball));
    let integrity = BASE64.encode(&sha2::Sha512::digest(&tarball));
    json!({
        "_id": name,
        "name": name,
        "dist-tags": { "latest": version },
        "access": "public",
        "versions": { version: {
            "name": name,
            "version": version,
            "dist": { "shasum": shasum, "integrity": format!("sha512-{integrity}") },
        } },
        "_attachments": { format!("{name}-{version}.tgz"): {
            "content_type": "application/octet-stream",
            "data": BASE64.encode(&tarball),
            "length": tarball.len(),
        } },
    })
}

/// A client of its own; reqwest is built without a default TLS provider.
fn client() -> reqwest::Client {
    // A second call finds the provider installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}
