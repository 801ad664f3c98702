//! The checker as a library, on a registry in the same process.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod relay;

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;

use std::time::Duration;

use serde_json::{Value, json};
use stepup::accounts::{self, Pool};
use stepup::check::plan::{self, Case};
use stepup::check::scene::Stage;
use stepup::check::stop::Cause;
use stepup::check::suite::LOCK_OUT_PATIENCE;
use stepup::check::{self, Journal, Provisioner, Run};
use stepup::clock::{Clock, UnixMillis};
use stepup::persona::key::{Maker, Manner, SecurityKey};
use stepup::persona::ledger::Skew;
use stepup::registry::{Mutant, Mutants, Registry, Settings};
use stepup::result::{CaseResult, Status};
use stepup::scenario::Scenario;
use stepup::table::{Level, Table};
use stepup::wire::{Limits, Reuse, Trust, Wire};
use tokio::sync::{Semaphore, mpsc};

const SKEW: Skew = Skew { behind: 1, ahead: 1 };
/// How long an answer of this process may take: whatever else the machine does.
const PATIENCE: Duration = Duration::from_secs(60);

/// The reference registry on a simulated clock, and a client that is none of the checker's.
pub struct Target {
    /// The clock that it shares with the checker.
    pub clock: Clock,
    /// Its address.
    pub base: reqwest::Url,
    /// How far the last run found its clock ahead, in milliseconds.
    pub offset_ms: Cell<i64>,
    /// How often the next runs play a case again that cannot be judged.
    pub retries: Cell<u8>,
    /// Whether the next runs may lock accounts out that were handed over.
    pub may_lock_out: Cell<bool>,
    /// Whether they may put accounts that were handed over into mode auth-only.
    pub may_lower_mode: Cell<bool>,
    /// The longest lock-out whose end the next runs wait for.
    pub lock_out_patience: Cell<Duration>,
    /// Whether the next runs spread what takes several codes over several users.
    pub spread: Cell<bool>,
    /// How long the next runs may take.
    pub budget: Cell<Option<Duration>>,
    /// After which time somebody interrupts the next runs.
    pub interrupted_after: Cell<Option<Duration>>,
    /// Which codes it accepts, as its file says.
    pub skew: Skew,
    /// Other hosts on which its archives lie, as its file names them.
    pub archives: Vec<reqwest::Url>,
    client: reqwest::Client,
    folder: tempfile::TempDir,
}

impl Target {
    /// A registry with these faults.
    pub async fn start(mutants: &[Mutant]) -> Self {
        Target::ahead(mutants, Duration::ZERO).await
    }

    /// A registry whose clock is ahead of the checker's.
    pub async fn ahead(mutants: &[Mutant], by: Duration) -> Self {
        let clock = Clock::simulated(UnixMillis(1_767_225_605_000));
        let registry_clock = clock.clone();
        let mut settings = Settings::new(Arc::new(move || registry_clock.system_time() + by));
        settings.mutants = mutants.iter().copied().collect::<Mutants>();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address")).parse().expect("an address");
        tokio::spawn(stepup::registry::serve(listener, Registry::new(settings), std::future::pending()));
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Target {
            clock,
            base,
            offset_ms: Cell::new(0),
            retries: Cell::new(0),
            may_lock_out: Cell::new(true),
            may_lower_mode: Cell::new(false),
            lock_out_patience: Cell::new(LOCK_OUT_PATIENCE),
            spread: Cell::new(false),
            budget: Cell::new(None),
            interrupted_after: Cell::new(None),
            skew: SKEW,
            archives: Vec::new(),
            client,
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    /// Sends a request with a JSON body.
    pub async fn ask(&self, method: &str, path: &str, token: &str, body: Value) -> Value {
        let method = method.parse().expect("a method");
        let request = self.client.request(method, self.base.join(path).expect("a path")).bearer_auth(token);
        let answer = request.json(&body).send().await.expect("an answer");
        answer.json().await.expect("a JSON answer")
    }

    /// Makes an account as its owner did long ago, and returns its entry in the accounts file.
    pub async fn account(&self, name: &str, mode: &str, role: &str) -> String {
        let password = format!("long-ago-{name}");
        let body = json!({ "name": name, "password": password, "email": format!("{name}@example.test"), "type": "user", "roles": [] });
        let signed_up = self.ask("PUT", &format!("/-/user/org.couchdb.user:{name}"), "", body).await;
        let token = signed_up["token"].as_str().expect("a token").to_owned();
        let entry = format!("- {{ name: {name}, password: {password}, mode: {mode}, role: {role}");
        if mode == "disabled" {
            return format!("{entry} }}\n");
        }
        let asked = json!({ "tfa": { "password": password, "mode": mode } });
        let pending = self.ask("POST", "/-/npm/v1/user", &token, asked).await;
        let otpauth = pending["tfa"].as_str().expect("an otpauth address").to_owned();
        let now = self.clock.now().0 / 1_000;
        let totp = totp_rs::Totp::from_url(&otpauth).expect("an otpauth address");
        let code = totp.generate(u64::try_from(now).expect("after 1970"));
        let confirmed = self.ask("POST", "/-/npm/v1/user", &token, json!({ "tfa": [code.to_string()] })).await;
        assert!(confirmed["tfa"].is_array(), "{confirmed}");
        format!("{entry}, totp: \"{otpauth}\" }}\n")
    }

    /// Makes an account with a security key alone, whose file lies beside the accounts file.
    pub async fn account_with_key(&self, name: &str, mode: &str, role: &str) -> String {
        let plain = self.account(name, "disabled", role).await;
        let password = format!("long-ago-{name}");
        let body = json!({ "name": name, "password": password, "type": "user", "roles": [] });
        let token = self.ask("PUT", &format!("/-/user/org.couchdb.user:{name}"), "", body).await["token"].clone();
        let token = token.as_str().expect("a token");
        let asked = json!({ "password": password, "mode": mode });
        let begun = self.ask("POST", "/-/account/keys/options", token, asked).await;
        let mut key = SecurityKey::new(Maker::Own);
        let mut origin = self.base.clone();
        origin.set_host(Some("localhost")).expect("the relying party's host");
        let credential = key.register(&origin, &begun["publicKey"], Manner::Right).await.expect("a credential");
        let body = json!({ "ceremony": begun["ceremony"], "name": "key", "credential": credential });
        let made = self.ask("POST", "/-/account/keys", token, body).await;
        assert!(made["id"].is_string(), "{made}");
        let stored = serde_json::to_vec(&key.stored().expect("a key that can be kept")).expect("JSON");
        std::fs::write(self.key_file(name), stored).expect("written");
        plain.replace("mode: disabled", &format!("mode: {mode}, security-key: {name}.json"))
    }

    /// The file of an account's key.
    pub fn key_file(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.json"))
    }

    /// Where the run's journal is.
    pub fn journal(&self) -> PathBuf {
        self.folder.path().join("journal.jsonl")
    }

    /// Runs the selected cases, or all.
    pub async fn run(&self, provisioner: Provisioner, select: &[&str]) -> Vec<CaseResult> {
        let (results, left) = self.run_and_tell(provisioner, select).await;
        assert!(left.is_empty(), "{left:?}");
        results
    }

    /// The same, with what the run as a whole has left, in words.
    pub async fn run_and_tell(&self, provisioner: Provisioner, select: &[&str]) -> (Vec<CaseResult>, Vec<String>) {
        let text = include_str!("../../../scenarios/tables/npm-docs-2022-08.yaml");
        let table: Table = stepup::yaml::parse("table", text).expect("the table");
        let dialect = Arc::new(stepup::target::find("embedded").expect("npm").dialect);
        let rows = plan::cases(&table, &dialect).expect("rows");
        let scenarios = Scenario::all(&dialect).expect("scenarios");
        let globs: Vec<String> = select.iter().map(|&glob| glob.to_owned()).collect();
        let cases: Vec<Case> = plan::select([rows, plan::scenarios(scenarios)].concat(), &globs, &[]).expect("globs");
        let mut stage = Stage {
            wire: Wire::trusting(self.base.clone(), Reuse::WhenIdle, Trust::System, patient())
                .and_then(|wire| wire.with_archives(self.archives.clone()))
                .expect("a client"),
            dialect,
            clock: self.clock.clone(),
            skew: self.skew,
            maker: Maker::default(),
            browser: Arc::default(),
            guard_ms: 0,
            routes: Arc::default(),
            offset_ms: 0,
            journal: Some(Journal::create(&self.journal()).expect("a journal")),
            proven: Default::default(),
            jobs: Arc::new(Semaphore::new(8)),
            waits: stepup::check::waits::Waits::default(),
            spread: self.spread.get(),
            stop: stepup::check::stop::Stop::default(),
        };
        stage.read_clock().await.expect("the registry answers");
        let mut run = Run {
            stage,
            prefix: "su0".to_owned(),
            target: "test".to_owned(),
            level: Level::Implied,
            retries: self.retries.get(),
            seed: 1,
            password_seed: 1,
            mutants: Mutants::none(),
            may_lock_out: self.may_lock_out.get(),
            may_lower_mode: self.may_lower_mode.get(),
            lock_out_patience: self.lock_out_patience.get(),
            left_out: vec![],
            provisioner,
            budget: self.budget.get().map(|long| check::Budget { long, until: None }),
            clients: std::sync::Arc::default(),
        };
        let (done, mut results) = mpsc::unbounded_channel();
        let all = async {
            let known = check::preflight(&mut run).await.expect("a usable target");
            if let Some(after) = self.interrupted_after.get() {
                run.stage.stop.ask(Cause::Interrupted, self.clock.now().after(after));
            }
            self.offset_ms.set(known.clock_offset_ms);
            let left = check::run(&run, &cases, &known, done).await;
            let mut all = Vec::new();
            while let Some(numbered) = results.recv().await {
                all.push(numbered);
            }
            all.sort_by_key(|(number, _)| *number);
            (all.into_iter().map(|(_, result)| result).collect(), left)
        };
        tokio::time::timeout(Duration::from_secs(240), all).await.expect("the run ends")
    }

    /// The accounts of a file with these entries.
    pub fn pool(&self, entries: &str) -> Provisioner {
        let file = self.folder.path().join("accounts.yaml");
        std::fs::write(&file, entries).expect("written");
        let accounts = accounts::read(&file).expect("an accounts file");
        Provisioner::Accounts(Pool::new(accounts, SKEW, 0, self.clock.now()))
    }

    /// The account's profile, seen by its owner, who still has the old password.
    pub async fn profile(&self, entries: &str, name: &str) -> Value {
        // Later, when no code that the run has spent is current any more.
        let at_work = self.clock.work();
        self.clock.wait_until(self.clock.now().after(Duration::from_secs(90))).await;
        drop(at_work);
        let entry = entries.lines().find(|line| line.contains(&format!("name: {name},"))).expect("the account");
        let otp = entry.split_once("totp: \"").and_then(|(_, rest)| rest.split_once('"')).map(|(url, _)| {
            let now = u64::try_from(self.clock.now().0 / 1_000).expect("after 1970");
            totp_rs::Totp::from_url(url).expect("an address").generate(now)
        });
        let body = json!({ "name": name, "password": format!("long-ago-{name}"), "type": "user", "roles": [] });
        let url = self.base.join(&format!("/-/user/org.couchdb.user:{name}")).expect("a path");
        let mut request = self.client.put(url).json(&body);
        if let Some(otp) = otp {
            request = request.header("npm-otp", otp.to_string());
        }
        let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
        let token = answer["token"].as_str().unwrap_or_else(|| panic!("{name} cannot log in: {answer}"));
        self.ask("GET", "/-/npm/v1/user", token, json!({})).await
    }

    /// How many packages of a run there are.
    pub async fn packages(&self) -> usize {
        let found = self.ask("GET", "/-/v1/search?text=su0&size=200", "", json!({})).await;
        found["objects"].as_array().expect("a list").len()
    }
}

/// Limits that only a registry that has stopped breaks.
fn patient() -> Limits {
    Limits { connect: PATIENCE, answer: PATIENCE, ..Limits::default() }
}

/// What did not hold, or was left behind.
pub fn wrong(results: &[CaseResult]) -> Vec<String> {
    let told = |case: &CaseResult| format!("{}: {:?} {} left {:?}", case.id, case.verdicts, case.observed, case.left);
    results.iter().filter(|case| case.status != Status::Pass || !case.left.is_empty()).map(told).collect()
}
