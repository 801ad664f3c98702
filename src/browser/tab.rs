//! A tab: one page of one persona, and the authenticator that is plugged in there.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::devtools::DevTools;
use crate::persona::key::{Manner, Stored};

/// How long a page may take to show what it comes to.
const PAGE_TIMEOUT: Duration = Duration::from_secs(15);
/// A button that is not there is waited for so long.
const SETTLING: Duration = Duration::from_secs(2);
/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(15);

/// What a person does on a page. Texts are matched as they are shown.
#[derive(Debug, Clone, Default)]
pub struct Task {
    /// The address; the page that is open already when there is none.
    pub open: Option<String>,
    /// What goes into which field, by CSS selector; `true` or `false` for what is ticked.
    pub fill: BTreeMap<String, String>,
    /// The button to press: its text or its CSS selector; the one obvious button when not said.
    pub press: Option<String>,
    /// The text that shows that it worked.
    pub until: String,
    /// The text that shows that it was turned down.
    pub or_fails: Option<String>,
    /// The text that shows that the page asks for something more first.
    pub asks: Option<String>,
    /// What is read from the page then: names, and CSS selectors of elements whose texts are wanted.
    pub read: BTreeMap<String, String>,
}

/// What became of it.
#[derive(Debug)]
pub struct Shown {
    /// Whether it worked, by the page's own words.
    pub worked: bool,
    /// Whether it did not come to that, as the page asks for something more first.
    pub asks: bool,
    /// What was read, by name.
    pub read: BTreeMap<String, Vec<String>>,
}

/// Why there is nothing to tell of a page.
#[derive(Debug)]
pub enum Fault {
    /// The page is to blame: it does not come, or is not as the target file says.
    Page(String),
    /// The browser is, or how it is driven, which says nothing of the page.
    Browser(String),
}

impl From<String> for Fault {
    fn from(what: String) -> Self {
        Fault::Browser(what)
    }
}

/// One tab. It closes itself, with its context, when it is dropped.
#[derive(Debug)]
pub struct Tab {
    devtools: DevTools,
    context: String,
    session: String,
    authenticator: String,
}

impl Tab {
    pub(super) async fn open(devtools: DevTools) -> Result<Self, String> {
        let context = devtools.call(None, "Target.createBrowserContext", json!({})).await?;
        let context = text(&context, "browserContextId")?;
        let target = json!({ "url": "about:blank", "browserContextId": context });
        let target = text(&devtools.call(None, "Target.createTarget", target).await?, "targetId")?;
        let attach = json!({ "targetId": target, "flatten": true });
        let session = text(&devtools.call(None, "Target.attachToTarget", attach).await?, "sessionId")?;
        let mut tab = Tab { devtools, context, session, authenticator: String::new() };
        tab.call("WebAuthn.enable", json!({})).await?;
        let options = json!({ "options": {
            "protocol": "ctap2",
            "transport": "usb",
            "hasResidentKey": false,
            "hasUserVerification": true,
            "isUserVerified": true,
            "automaticPresenceSimulation": true,
        } });
        tab.authenticator = text(&tab.call("WebAuthn.addVirtualAuthenticator", options).await?, "authenticatorId")?;
        Ok(tab)
    }

    async fn call(&self, method: &str, params: Value) -> Result<Value, String> {
        self.devtools.call(Some(&self.session), method, params).await
    }

    /// Puts a credential into the authenticator, in place of those that it has.
    pub async fn plug_in(&self, stored: &Stored) -> Result<(), String> {
        self.call("WebAuthn.clearCredentials", json!({ "authenticatorId": self.authenticator })).await?;
        let credential = stored.for_browser()?;
        let params = json!({ "authenticatorId": self.authenticator, "credential": credential });
        self.call("WebAuthn.addCredential", params).await.map(|_| ())
    }

    /// The credential that the authenticator has now: the one that was plugged in, with a counter that may have risen, or
    /// else one that was made on a page.
    pub async fn unplug(&self, plugged: Option<&Stored>) -> Result<Option<Stored>, String> {
        let params = json!({ "authenticatorId": self.authenticator });
        let held = self.call("WebAuthn.getCredentials", params).await?;
        let held = held["credentials"].as_array().map(Vec::as_slice).unwrap_or_default();
        match plugged.and_then(|plugged| held.iter().find_map(|credential| plugged.counted_by_browser(credential))) {
            Some(counted) => Ok(Some(counted)),
            None => held.last().map(Stored::from_browser).transpose(),
        }
    }

    /// Makes the authenticator do wrong, where a browser's can.
    pub async fn set_manner(&self, manner: Manner) -> Result<(), String> {
        let bits = match manner {
            Manner::Right => (false, false, false),
            Manner::BrokenSignature => (true, false, false),
            Manner::UserNotVerified => (false, true, false),
            Manner::UserNotPresent => (false, false, true),
            Manner::OtherChallenge
            | Manner::WrongOrigin
            | Manner::CrossOrigin
            | Manner::WrongType
            | Manner::WrongRpId
            | Manner::CounterBack
            | Manner::OtherUserHandle => return Err(format!("a browser cannot be made to give an {}", manner.words())),
        };
        let params = json!({
            "authenticatorId": self.authenticator,
            "isBogusSignature": bits.0,
            "isBadUV": bits.1,
            "isBadUP": bits.2,
        });
        self.call("WebAuthn.setResponseOverrideBits", params).await.map(|_| ())
    }

    /// Does what a person does, and waits for what the page comes to.
    pub async fn perform(&self, task: &Task) -> Result<Shown, Fault> {
        let deadline = tokio::time::Instant::now() + PAGE_TIMEOUT;
        if let Some(address) = &task.open {
            let answer = self.call("Page.navigate", json!({ "url": address })).await?;
            if let Some(error) = answer["errorText"].as_str().filter(|error| !error.is_empty()) {
                return Err(Fault::Page(format!("the page cannot be opened: {error}")));
            }
        }
        let ready = format!(
            "document.readyState === 'complete' && location.href !== 'about:blank' && {}.every(s => document.querySelector(s))",
            json!(task.fill.keys().collect::<Vec<_>>())
        );
        self.wait(&ready, deadline, "has not come with all fields that the target file names").await?;
        let action = format!("({ACT})({}, {})", json!(task.fill), json!(task.press));
        // A page may put its button up after it has come, or be on its way to the next one.
        let settled = deadline.min(tokio::time::Instant::now() + SETTLING);
        // A press may leave the page before it is answered.
        while let Ok(Value::String(wrong)) = self.evaluate(&action).await {
            if tokio::time::Instant::now() >= settled {
                return Err(Fault::Page(wrong));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let shows = |text: &str| format!("(document.body?.innerText ?? '').includes({})", json!(text));
        let shows_any = |text: &Option<String>| text.as_deref().map_or_else(|| "false".to_owned(), shows);
        let ended = format!("{} || {} || {}", shows(&task.until), shows_any(&task.or_fails), shows_any(&task.asks));
        self.wait(&ended, deadline, "has shown none of the texts that the target file names").await?;
        let worked = self.evaluate(&shows(&task.until)).await? == Value::Bool(true);
        let asks = !worked && self.evaluate(&shows_any(&task.asks)).await? == Value::Bool(true);
        let mut read = BTreeMap::new();
        for (name, selector) in &task.read {
            let texts = format!(
                "[...document.querySelectorAll({})].map(e => (e.value || e.innerText).toString().trim())",
                json!(selector)
            );
            let texts = self.evaluate(&texts).await?;
            let texts = texts.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned));
            read.insert(name.clone(), texts.collect());
        }
        Ok(Shown { worked, asks, read })
    }

    async fn wait(&self, condition: &str, deadline: tokio::time::Instant, otherwise: &str) -> Result<(), Fault> {
        loop {
            // While one page makes way for another there is nothing to ask.
            if matches!(self.evaluate(condition).await, Ok(Value::Bool(true))) {
                return Ok(());
            }
            if self.devtools.is_gone() {
                return Err(Fault::Browser("the browser has ended".to_owned()));
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(Fault::Page(format!("the page {otherwise}, within {} s", PAGE_TIMEOUT.as_secs())));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn evaluate(&self, expression: &str) -> Result<Value, String> {
        let params = json!({ "expression": expression, "returnByValue": true, "userGesture": true });
        let mut answer = self.call("Runtime.evaluate", params).await?;
        match answer.pointer("/exceptionDetails/text").and_then(Value::as_str) {
            Some(exception) => Err(exception.to_owned()),
            None => Ok(answer["result"]["value"].take()),
        }
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        let (devtools, context) = (self.devtools.clone(), std::mem::take(&mut self.context));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // When it is gone, so is the context.
                let _ =
                    devtools.call(None, "Target.disposeBrowserContext", json!({ "browserContextId": context })).await;
            });
        }
    }
}

/// Fills the fields and presses the button. Returns what is wrong with the page, or nothing.
const ACT: &str = r"(fields, press) => {
  for (const [selector, value] of Object.entries(fields)) {
    const field = document.querySelector(selector);
    field.focus();
    if (field.type === 'radio' || field.type === 'checkbox') {
      if (field.checked !== (value.toLowerCase() === 'true')) field.click();
      continue;
    }
    field.value = value;
    field.dispatchEvent(new Event('input', { bubbles: true }));
    field.dispatchEvent(new Event('change', { bubbles: true }));
  }
  const shown = e => e.offsetParent !== null && !e.disabled;
  const name = e => (e.innerText || e.value || e.ariaLabel || '').trim();
  const buttons = [...document.querySelectorAll('button, input[type=submit], input[type=button], [role=button]')].filter(shown);
  const bySelector = s => { try { return document.querySelector(s); } catch { return null; } };
  const obvious = () => buttons.length === 1 ? buttons[0] : buttons.filter(e => /security key|passkey/i.test(name(e)))[0];
  const button = press === null ? obvious() : buttons.find(e => name(e) === press) ?? bySelector(press);
  if (!button) {
    const seen = buttons.map(e => `\`${name(e)}\``).join(', ') || 'none';
    return press === null ? `the page has no one obvious button; buttons: ${seen}` : `the page has no button \`${press}\`; buttons: ${seen}`;
  }
  button.click();
  return null;
}";

fn text(answer: &Value, member: &str) -> Result<String, String> {
    answer[member].as_str().map(str::to_owned).ok_or_else(|| format!("the browser's answer has no `{member}`"))
}

#[cfg(test)]
mod tests {
    use futures_util::{SinkExt as _, StreamExt as _};
    use tokio_tungstenite::tungstenite::Message;

    use super::*;

    /// A browser that answers whatever opens a tab, and then each command by this, until there is no answer and it ends.
    async fn browser(answer: fn(&str) -> Option<Value>) -> DevTools {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("ws://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a client");
            let mut socket = tokio_tungstenite::accept_async(stream).await.expect("a handshake");
            while let Some(Ok(Message::Text(command))) = socket.next().await {
                let command: Value = serde_json::from_str(&command).expect("JSON");
                let opened = json!({
                    "browserContextId": "c", "targetId": "t", "sessionId": "s", "authenticatorId": "a",
                });
                let method = command["method"].as_str().expect("a method");
                let known = method.starts_with("Target.") || method.starts_with("WebAuthn.");
                let Some(result) = answer(method).or(known.then_some(opened)) else { return };
                let told = json!({ "id": command["id"], "result": result }).to_string();
                socket.send(Message::text(told)).await.expect("sent");
            }
        });
        DevTools::connect(&address).await.expect("connected")
    }

    fn open() -> Task {
        Task { open: Some("http://localhost/".to_owned()), until: "Done".to_owned(), ..Task::default() }
    }

    #[tokio::test]
    async fn a_browser_that_ends_is_not_the_pages_fault() {
        let at_once = browser(|_| None).await;
        let midway = browser(|method| (method == "Page.navigate").then(|| json!({}))).await;
        for devtools in [at_once, midway] {
            let tab = Tab::open(devtools).await.expect("a tab");
            let fault = tab.perform(&open()).await.expect_err("no page");
            assert!(matches!(&fault, Fault::Browser(what) if what.contains("has ended")), "{fault:?}");
        }
    }

    #[tokio::test]
    async fn a_page_that_does_not_come_is_the_pages_fault() {
        let devtools = browser(|method| {
            (method == "Page.navigate").then(|| json!({ "errorText": "net::ERR_CONNECTION_REFUSED" }))
        });
        let tab = Tab::open(devtools.await).await.expect("a tab");
        let fault = tab.perform(&open()).await.expect_err("no page");
        assert!(matches!(&fault, Fault::Page(what) if what.contains("ERR_CONNECTION_REFUSED")), "{fault:?}");
    }
}
