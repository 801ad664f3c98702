//! A target's pages in a browser: what a person does there, and what the pages come to.

use std::time::Instant;

use reqwest::Url;

use super::keys::{Given, named};
use super::scene::{Conduct, Ended, Mistake, Scene};
use crate::browser::{Browser, Fault, Shown, Tab, Task};
use crate::dialect::step::{Auth, CodePrompt, Page};
use crate::judge::{Asks, Outcome};
use crate::persona::key::{Manner, SecurityKey};
use crate::scenario::key::Assertion;
use crate::secret::Secret;
use crate::wire::{self, Exchange, FaultKind};

impl Scene {
    /// Does what a person does on a page, with the persona's security key plugged in. Where the page asks for a code in
    /// between it is given one, as set-up does.
    pub(super) async fn browse(&mut self, page: &Page, conduct: &Conduct) -> Result<Ended, Mistake> {
        let (real, shown) = (self.variables(None, false), self.variables(None, true));
        let (task, told) = (task(page, &real)?, task(page, &shown)?);
        let started = Instant::now();
        let mut done = self.on_tab(&task).await;
        let mut answered = "";
        if let (Ok(Shown { asks: true, .. }), Some(prompt)) = (&done, &page.asks_for_code) {
            if !matches!(conduct, Conduct::Assisted) || self.user.ledger.is_none() {
                let saw = "the page asks for a one-time password".to_owned();
                return Ok(Ended { outcome: Outcome::Challenged { flaw: None, asks: Asks::ForCode }, saw });
            }
            let code = self.code().await?;
            done = self.on_tab(&answer(&task, prompt, &code, &real)?).await;
            answered = ", and a fresh code where the page asks for one";
            self.user.confirmed |= matches!(done, Ok(Shown { worked: true, .. }));
            self.carried.push(code);
        }
        let place = told.open.as_deref().map_or_else(|| "the page that is open".to_owned(), |place| self.hide(place));
        let pressed = told.press.as_deref().unwrap_or("the one obvious button");
        let mut exchange = Exchange {
            request: format!("BROWSER {place}"),
            headers: Vec::new(),
            body: Some(format!("fills {:?}, presses {pressed}{answered}", told.fill)),
            status: None,
            answer_headers: Vec::new(),
            answer_body: None,
            fault: None,
            fault_kind: None,
            elapsed_us: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        };
        let line = exchange.request.clone();
        let (outcome, what) = match &done {
            Ok(shown) if shown.worked => (Outcome::Accepted, format!("the page shows \"{}\"", told.until)),
            Ok(_) => (Outcome::Refused, format!("the page shows \"{}\"", told.or_fails.unwrap_or_default())),
            Err(Fault::Page(fault)) => (Outcome::Failed, fault.clone()),
            Err(Fault::Browser(fault)) => return Err(format!("{line}: {fault}")),
        };
        match outcome {
            Outcome::Failed => exchange.failed(&wire::Fault::new(FaultKind::Page, what.clone())),
            _ => exchange.answer_body = Some(what.clone()),
        }
        self.exchanges.push(exchange);
        if let Ok(Shown { worked: true, read, .. }) = done {
            self.turn_into(&page.r#become, Auth::User, &serde_json::json!(read))?;
        }
        Ok(Ended { outcome, saw: format!("{line} → {what}") })
    }

    /// What the page showed in the persona's tab.
    async fn on_tab(&mut self, task: &Task) -> Result<Shown, Fault> {
        if let Some(address) = &task.open {
            self.stage.wire.reaches(address).map_err(Fault::Page)?;
        }
        let name = self.user.name.clone();
        if !self.tabs.contains_key(&name) {
            let tab = self.stage.browser.get_or_try_init(Browser::start).await?.tab().await?;
            self.tabs.insert(name.clone(), tab);
        }
        let tab: &Tab = self.tabs.get(&name).ok_or_else(|| "the tab is gone".to_owned())?;
        let manner = match &self.given {
            Given::Assertion(Assertion::Made(manner)) => *manner,
            Given::Assertion(_) | Given::For(_) | Given::Nothing => {
                return Err("a browser cannot be made to give another assertion than the page asks for"
                    .to_owned()
                    .into());
            }
        };
        let kept = self.user.key.as_ref().and_then(SecurityKey::stored);
        if let Some(stored) = &kept {
            tab.plug_in(stored).await?;
        }
        tab.set_manner(manner).await?;
        let shown = tab.perform(task).await;
        tab.set_manner(Manner::Right).await?;
        if let Some(stored) = tab.unplug(kept.as_ref()).await? {
            self.presented |= kept.is_some_and(|kept| stored.has_signed_since(&kept));
            match &mut self.user.key {
                Some(key) => key.resume(stored)?,
                None => self.user.key = Some(SecurityKey::resumed(stored)?),
            }
            self.hold_changes()?;
        }
        shown
    }
}

fn task(page: &Page, variables: &minijinja::Value) -> Result<Task, Mistake> {
    let text =
        |template: &crate::dialect::template::Template| template.text(variables).map_err(|error| error.to_string());
    let place = |text: String| Url::parse(&text).map_err(|error| format!("{text}: {error}")).and_then(named);
    let fill = page.fill.iter().map(|(selector, value)| Ok((selector.clone(), text(value)?)));
    Ok(Task {
        open: page.open.as_ref().map(text).transpose()?.map(place).transpose()?.map(String::from),
        fill: fill.collect::<Result<_, Mistake>>()?,
        press: page.press.as_ref().map(text).transpose()?,
        until: text(&page.until)?,
        or_fails: page.or_fails.as_ref().map(text).transpose()?,
        asks: page.asks_for_code.as_ref().map(|prompt| text(&prompt.shows)).transpose()?,
        read: page.read.clone(),
    })
}

/// What a person does who is asked for a code.
fn answer(asked: &Task, prompt: &CodePrompt, code: &Secret, variables: &minijinja::Value) -> Result<Task, Mistake> {
    let press = prompt.press.as_ref().map(|button| button.text(variables).map_err(|error| error.to_string()));
    let fill = [(prompt.fill.clone(), code.reveal().to_owned())].into();
    Ok(Task { open: None, fill, press: press.transpose()?, asks: None, ..asked.clone() })
}
