//! The registry's own pages, as a person uses them: in a browser, with a security key.

use std::collections::BTreeMap;

use serde_json::json;
use stepup::browser::{Browser, Tab, Task};

use crate::support::{User, WRITES, World, send};

fn texts<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(name, text)| (name.to_owned(), text.to_owned())).into()
}

/// Fills fields, presses a button and reads, and sees what the page says then.
async fn does(tab: &Tab, open: Option<&str>, fill: BTreeMap<String, String>, press: &str, until: &str) -> Vec<String> {
    let task = Task {
        open: open.map(str::to_owned),
        fill,
        press: Some(press.to_owned()),
        until: until.to_owned(),
        or_fails: None,
        asks: None,
        read: texts([("codes", "#codes code")]),
    };
    let shown = tab.perform(&task).await.unwrap_or_else(|error| panic!("{press}: {error:?}"));
    assert!(shown.worked, "{press}: not `{until}`");
    shown.read.get("codes").cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_person_registers_a_key_confirms_with_it_logs_in_with_it_and_cannot_remove_his_last() {
    let world = World::new().await;
    let mut user = world.sign_up("alice").await;
    let browser = Browser::start().await.unwrap();
    let tab = browser.tab().await.unwrap();
    let account = format!("{}/-/account", world.origin());
    let login = || texts([("#username", "alice"), ("#password", "password of alice")]);

    does(&tab, Some(&account), login(), "Log in", "You are logged in as alice.").await;
    let codes = does(
        &tab,
        None,
        texts([("#key-name", "My first key")]),
        "Register security key",
        "The key My first key is registered.",
    )
    .await;
    assert_eq!((codes.len(), codes[0].len()), (5, 64));

    // The addresses are as the client wrote the registry's; the page finds its way to the name by itself.
    user.web = true;
    let door = world.door(&world.publish(&user, "p", "1.0.0", None).await);
    let page = format!("{}{}", world.base, door.auth);
    does(&tab, Some(&page), texts([]), "Use security key", "That is confirmed.").await;
    let token = world.collect(&door).await;
    assert!(world.publish(&user, "p", "1.0.0", Some(&token)).await.is_success());

    let start = send(world.request("POST", "/-/v1/login").json(&json!({}))).await.json();
    let page = start["loginUrl"].as_str().unwrap().replace("127.0.0.1", "localhost");
    does(&tab, Some(&page), login(), "Log in", "Use security key").await;
    does(&tab, None, texts([]), "Use security key", "That is confirmed.").await;
    let done = start["doneUrl"].as_str().unwrap().strip_prefix(&world.base).unwrap().to_owned();
    let session = world.get(&done).await.json()["token"].as_str().unwrap().to_owned();
    let session = User { token: session, ..user.clone() };
    assert_eq!(world.read(&session, "/-/whoami").await.json()["username"], "alice");

    does(&tab, Some(&account), login(), "Log in", "Confirm that it is you").await;
    does(&tab, None, texts([]), "Use security key", "You are logged in as alice.").await;
    let profile = world.read(&user, "/-/npm/v1/user").await.json();
    assert_eq!(profile["tfa"], json!({ "pending": false, "mode": WRITES }));
    does(&tab, None, texts([]), "Remove My first key", "the last security key cannot be removed").await;
}

#[tokio::test]
async fn a_person_with_codes_logs_in_and_registers_and_removes_a_key_with_them() {
    let world = World::new().await;
    let user = world.enrolled("alice", WRITES).await;
    let browser = Browser::start().await.unwrap();
    let tab = browser.tab().await.unwrap();
    let account = format!("{}/-/account", world.origin());
    let login = texts([("#username", "alice"), ("#password", "password of alice")]);
    let code = |code: String| texts([("#otp", code.as_str())]);
    const CONTINUE: &str = "Continue with the code";

    does(&tab, Some(&account), login, "Log in", "Confirm that it is you").await;
    does(&tab, None, code(world.code(&user)), CONTINUE, "You are logged in as alice.").await;
    let named = texts([("#key-name", "Spare")]);
    does(&tab, None, named, "Register security key", "Confirm that it is you").await;
    does(&tab, None, code(world.fresh_code(&user)), CONTINUE, "The key Spare is registered.").await;
    does(&tab, None, texts([]), "Remove Spare", "Confirm that it is you").await;
    does(&tab, None, code(world.wrong_code(&user)), CONTINUE, "The code was not accepted.").await;
    does(&tab, None, code(world.fresh_code(&user)), CONTINUE, "The key Spare is removed.").await;
    assert_eq!(world.read(&user, "/-/account/keys").await.json(), json!({ "objects": [] }));
}

#[tokio::test]
async fn a_button_that_is_put_up_after_the_page_has_come_is_waited_for() {
    let browser = Browser::start().await.expect("a browser");
    let tab = browser.tab().await.expect("a tab");
    // It comes when the field is filled for the second time, so that it is missing when it is first looked for.
    let page = "data:text/html,<input id=field><script>let times = 0; field.oninput = () => { if (++times === 2) { \
                document.body.insertAdjacentHTML('beforeend', '<button onclick=\"this.outerHTML = `It is done`\">Go</button>') } }\
                </script>";
    let shown = does(&tab, Some(page), texts([("#field", "x")]), "Go", "It is done").await;
    assert_eq!(shown, Vec::<String>::new());
}
