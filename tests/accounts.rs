//! Accounts that an operator hands over: right verdicts with a handful of them, and a target left as it was.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde_json::{Value, json};
use stepup::accounts::{self, Pool};
use stepup::check::plan::{self, Case};
use stepup::check::scene::Stage;
use stepup::check::{self, Journal, Provisioner, Run};
use stepup::clock::{Clock, UnixMillis};
use stepup::judge::Verdict;
use stepup::persona::ledger::Skew;
use stepup::registry::{Mutant, Mutants, Registry, Settings};
use stepup::result::{CaseResult, Status};
use stepup::table::Table;
use stepup::wire::{Reuse, Wire};
use tokio::sync::{Semaphore, mpsc};

const SKEW: Skew = Skew { behind: 1, ahead: 1 };

/// The reference registry on a simulated clock, and a client that is none of the checker's.
struct Target {
    clock: Clock,
    base: reqwest::Url,
    client: reqwest::Client,
    folder: tempfile::TempDir,
}

impl Target {
    async fn start(mutants: &[Mutant]) -> Self {
        let clock = Clock::simulated(UnixMillis(1_767_225_605_000));
        let registry_clock = clock.clone();
        let mut settings = Settings::new(Arc::new(move || registry_clock.system_time()));
        settings.mutants = mutants.iter().copied().collect::<Mutants>();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("an address")).parse().expect("an address");
        tokio::spawn(stepup::registry::serve(listener, Registry::new(settings), std::future::pending()));
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Target { clock, base, client, folder: tempfile::tempdir().expect("a temporary folder") }
    }

    async fn ask(&self, method: &str, path: &str, token: &str, body: Value) -> Value {
        let method = method.parse().expect("a method");
        let request = self.client.request(method, self.base.join(path).expect("a path")).bearer_auth(token);
        let answer = request.json(&body).send().await.expect("an answer");
        answer.json().await.expect("a JSON answer")
    }

    /// Makes an account as its owner did long ago, and returns its entry in the accounts file.
    async fn account(&self, name: &str, mode: &str, role: &str) -> String {
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

    fn journal(&self) -> PathBuf {
        self.folder.path().join("journal.jsonl")
    }

    async fn run(&self, provisioner: Provisioner, select: &[&str]) -> Vec<CaseResult> {
        let text = include_str!("../scenarios/tables/npm-docs-2022-08.yaml");
        let table: Table = stepup::yaml::parse("table", text).expect("the table");
        let dialect = Arc::new(stepup::target::find("embedded").and_then(|mut target| target.dialect()).expect("npm"));
        let globs: Vec<String> = select.iter().map(|&glob| glob.to_owned()).collect();
        let cases: Vec<Case> = plan::select(plan::cases(&table, &dialect), &globs).expect("globs");
        let stage = Stage {
            wire: Wire::new(self.base.clone(), Reuse::WhenIdle).expect("a client"),
            dialect,
            clock: self.clock.clone(),
            skew: SKEW,
            guard_ms: 0,
            offset_ms: 0,
            journal: Some(Journal::create(&self.journal()).expect("a journal")),
            jobs: Arc::new(Semaphore::new(8)),
        };
        let run = Run {
            stage,
            prefix: "su0".to_owned(),
            target: "test".to_owned(),
            seed: 1,
            provisioner,
            interrupted: Arc::new(AtomicBool::new(false)),
        };
        let (done, mut results) = mpsc::unbounded_channel();
        let all = async {
            let left = check::run(&run, &cases, &None, done).await;
            assert!(left.is_empty(), "{left:?}");
            let mut all = Vec::new();
            while let Some((_, result)) = results.recv().await {
                all.push(result);
            }
            all
        };
        tokio::time::timeout(Duration::from_secs(60), all).await.expect("the run ends")
    }

    fn pool(&self, entries: &str) -> Provisioner {
        let file = self.folder.path().join("accounts.yaml");
        std::fs::write(&file, entries).expect("written");
        let accounts = accounts::read(&file).expect("an accounts file");
        Provisioner::Accounts(Pool::new(accounts, SKEW, 0, self.clock.now()))
    }

    /// The account's profile, seen by its owner, who still has the old password.
    async fn profile(&self, entries: &str, name: &str) -> Value {
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

    async fn packages(&self) -> usize {
        let found = self.ask("GET", "/-/v1/search?text=su0&size=200", "", json!({})).await;
        found["objects"].as_array().expect("a list").len()
    }
}

fn wrong(results: &[CaseResult]) -> Vec<String> {
    let told = |case: &CaseResult| format!("{}: {:?} {} left {:?}", case.id, case.verdicts, case.observed, case.left);
    results.iter().filter(|case| case.status != Status::Pass || !case.left.is_empty()).map(told).collect()
}

/// One account for each use.
async fn accounts(target: &Target) -> String {
    let mut entries = target.account("companion", "disabled", "companion").await;
    for (name, mode, role) in [
        ("plain", "disabled", "lasting"),
        ("plain-spare", "disabled", "expendable"),
        ("careful", "auth-only", "lasting"),
        ("careful-spare", "auth-only", "expendable"),
        ("careful-spare-2", "auth-only", "expendable"),
        ("writer", "auth-and-writes", "lasting"),
        ("writer-spare", "auth-and-writes", "expendable"),
        ("writer-spare-2", "auth-and-writes", "expendable"),
    ] {
        entries += &target.account(name, mode, role).await;
    }
    entries
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handful_of_accounts_gives_right_verdicts_for_every_case_and_is_left_as_it_was() {
    let target = Target::start(&[]).await;
    let entries = accounts(&target).await;
    let results = target.run(target.pool(&entries), &[]).await;
    let wrong = wrong(&results);
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), results.len());
    assert_eq!(target.packages().await, 0);
    for name in ["plain", "careful", "writer", "plain-spare"] {
        let profile = target.profile(&entries, name).await;
        assert!(profile["fullname"].as_str().unwrap_or_default().is_empty(), "{profile}");
        let mode = if name == "writer" { "auth-and-writes" } else { "auth-only" };
        if name.starts_with("plain") {
            assert!(profile["tfa"].is_null() || profile["tfa"] == false, "{profile}");
        } else {
            assert_eq!(profile["tfa"]["mode"], mode, "{profile}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_found_with_accounts_as_well() {
    for (mutant, case, verdict) in [
        (Mutant::PublishUnchallenged, "auth-and-writes/publish/totp/wire", Verdict::MissingChallenge),
        (Mutant::DisableUnchallenged, "auth-only/disable-2fa/totp/wire", Verdict::MissingChallenge),
        (Mutant::PasswordBeforeChallenge, "auth-only/profile-set:password/totp/wire", Verdict::EffectBeforeFactor),
        (Mutant::ReplayAccepted, "auth-and-writes/publish/totp/wire", Verdict::ReplayAccepted),
    ] {
        let target = Target::start(&[mutant]).await;
        let entries = accounts(&target).await;
        let results = target.run(target.pool(&entries), &[case]).await;
        assert_eq!(results[0].verdicts.first(), Some(&verdict), "{mutant}: {}", results[0].observed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_without_its_account_is_skipped_with_the_reason() {
    let target = Target::start(&[]).await;
    let entries = target.account("careful", "auth-only", "lasting").await;
    let results = target.run(target.pool(&entries), &["auth-only/*", "*/ping/*"]).await;
    let told = |id: &str| results.iter().find(|case| case.id == id).map(|case| (case.status, case.observed.as_str()));
    assert_eq!(told("auth-only/token-create/totp/wire").expect("the case").0, Status::Pass);
    let (status, reason) = told("auth-only/disable-2fa/totp/wire").expect("the case");
    assert!(status == Status::Skipped && reason.contains("`role: expendable`"), "{reason}");
    let (status, reason) = told("disabled/ping/none/wire").expect("the case");
    assert!(status == Status::Skipped && reason.contains("no account in mode disabled"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_not_the_accounts_is_no_fault_of_the_target() {
    let target = Target::start(&[]).await;
    let entry = target.account("careful", "auth-only", "lasting").await;
    let (before, _) = entry.split_once("totp: ").expect("a secret");
    let entry = format!("{before}totp: GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ }}");
    let results = target.run(target.pool(&entry), &["auth-only/token-create/*"]).await;
    assert_eq!(results[0].status, Status::Error, "{}", results[0].observed);
    assert!(!results[0].verdicts.contains(&Verdict::RightProofRefused), "{:?}", results[0].verdicts);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_in_another_mode_than_its_file_says_is_not_judged() {
    let target = Target::start(&[]).await;
    let entry = target.account("careful", "auth-only", "lasting").await.replace("auth-only", "auth-and-writes");
    let results = target.run(target.pool(&entry), &["auth-and-writes/publish/*"]).await;
    assert_eq!((results[0].status, results[0].verdicts.as_slice()), (Status::Error, &[Verdict::HarnessError][..]));
    assert!(results[0].observed.contains("not in the mode"), "{}", results[0].observed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_makes_is_journalled_without_secrets_and_gone_afterwards() {
    let target = Target::start(&[]).await;
    let results = target.run(Provisioner::SelfService, &[]).await;
    let wrong = wrong(&results);
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(target.packages().await, 0);
    let journal = std::fs::read_to_string(target.journal()).expect("the journal");
    let entries: Vec<Value> =
        journal.lines().map(|line| serde_json::from_str(line).expect("a line is a document")).collect();
    let of = |event: &str| entries.iter().filter(|entry| entry["event"] == event).count();
    assert!(of("user") > 100 && of("making") > 100 && of("undone") > 40, "{journal}");
    for entry in entries.iter().filter(|entry| entry["event"] == "making") {
        let undone = entries.iter().any(|other| other["event"] == "undone" && other["case"] == entry["case"]);
        assert!(undone, "{entry}");
    }
    assert!(!journal.contains("Pw-") && !journal.contains("npm_") && !journal.contains("otpauth"), "{journal}");
}
