//! Stock npm works against the reference registry, and is asked for codes where it should be.

use stepup::browser::{Browser, Task};

use crate::npm::{Npm, Served};

const PASSWORD: &str = "a long enough password";

#[tokio::test]
async fn publishing_takes_a_code_once_and_what_was_published_can_be_installed() {
    let registry = Served::start();
    let ada = Npm::new(&registry).await;
    ada.sign_up("ada", PASSWORD).await;
    let mut authenticator = ada.enrol(PASSWORD).await;
    let folder = ada.package("engine", "1.0.0");

    ada.script(&folder, &["publish"]).await.wanted_a_code();
    assert!(registry.versions("engine").await.is_empty());

    let code = authenticator.code();
    ada.script(&folder, &["publish", "--otp", &code]).await.succeeded();
    assert_eq!(registry.versions("engine").await, ["1.0.0"]);

    ada.package("engine", "1.1.0");
    ada.script(&folder, &["publish", "--otp", &code]).await.wanted_a_code();
    assert_eq!(registry.versions("engine").await, ["1.0.0"]);

    let anyone = Npm::new(&registry).await;
    let app = anyone.package("app", "1.0.0");
    anyone.script(&app, &["install", "engine"]).await.succeeded();
    let installed = std::fs::read_to_string(app.join("node_modules/engine/index.js")).expect("it is installed");
    assert_eq!(installed, "module.exports = 'engine@1.0.0'\n");
}

#[tokio::test]
async fn logging_in_asks_for_a_code_in_the_terminal() {
    let registry = Served::start();
    let old_laptop = Npm::new(&registry).await;
    old_laptop.sign_up("grace", PASSWORD).await;
    let mut authenticator = old_laptop.enrol(PASSWORD).await;

    let new_laptop = Npm::new(&registry).await;
    let mut terminal = new_laptop.terminal(&["login", "--auth-type=legacy"]);
    terminal.answer("Username:", "grace").await;
    terminal.answer("Password:", PASSWORD).await;
    terminal.until("Enter OTP:").await;
    assert_eq!(new_laptop.whoami().await.code, Some(1), "nobody is logged in yet");
    terminal.types(&authenticator.code()).await;
    terminal.ended().await.succeeded();
    assert_eq!(new_laptop.whoami().await.succeeded().trim(), "grace");
}

#[tokio::test]
async fn unpublishing_takes_a_code() {
    let registry = Served::start();
    let joan = Npm::new(&registry).await;
    joan.sign_up("joan", PASSWORD).await;
    let folder = joan.package("gone", "1.0.0");
    joan.script(&folder, &["publish"]).await.succeeded();
    let mut authenticator = joan.enrol(PASSWORD).await;

    let unpublish = ["unpublish", "gone", "--force"];
    joan.script(&folder, &unpublish).await.wanted_a_code();
    assert_eq!(registry.versions("gone").await, ["1.0.0"]);

    let code = authenticator.code();
    joan.script(&folder, &[&unpublish[..], &["--otp", &code]].concat()).await.succeeded();
    assert!(registry.versions("gone").await.is_empty());
}

#[tokio::test]
async fn publishing_sends_who_has_a_security_key_to_a_page_and_goes_on_by_itself() {
    let registry = Served::start();
    let mary = Npm::new(&registry).await;
    mary.sign_up("mary", PASSWORD).await;
    let browser = Browser::start().await.expect("a browser");
    let tab = browser.tab().await.expect("a tab");
    let does = async |open: Option<String>, fill: &[(&str, &str)], press: &str, until: &str| {
        let fill = fill.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())).collect();
        let (press, until) = (Some(press.to_owned()), until.to_owned());
        let shown = tab.perform(&Task { open, fill, press, until, ..Task::default() }).await;
        assert!(shown.expect("the page comes").worked);
    };
    let account = format!("{}/-/account", registry.base);
    does(Some(account), &[("#username", "mary"), ("#password", PASSWORD)], "Log in", "You are logged in as mary.")
        .await;
    does(None, &[("#key-name", "key")], "Register security key", "The key key is registered.").await;

    let folder = mary.package("loom", "1.0.0");
    mary.script(&folder, &["publish"]).await.wanted_a_code();
    let mut terminal = mary.terminal_in(&folder, &["publish"]);
    let shown = terminal.until("Press ENTER").await;
    let page = shown.split_whitespace().find(|word| word.contains("/-/auth/")).expect("the page's address");
    assert!(registry.versions("loom").await.is_empty(), "nothing is there before the page has been answered");
    does(Some(page.to_owned()), &[], "Use security key", "That is confirmed.").await;
    terminal.ended().await.succeeded();
    assert_eq!(registry.versions("loom").await, ["1.0.0"]);
}
