//! A target's pages in a browser: what a person does there, and what the pages come to.

use std::time::Instant;

use reqwest::Url;

use super::keys::{Given, named};
use super::scene::{Ended, Mistake, Scene};
use crate::browser::{Browser, Tab, Task};
use crate::dialect::step::{Auth, Page};
use crate::judge::Outcome;
use crate::persona::key::{Manner, SecurityKey};
use crate::scenario::key::Assertion;
use crate::wire::Exchange;

impl Scene {
    /// Does what a person does on a page, with the persona's security key plugged in.
    pub(super) async fn browse(&mut self, page: &Page) -> Result<Ended, Mistake> {
        let (real, shown) = (self.variables(None, false), self.variables(None, true));
        let (task, told) = (task(page, &real)?, task(page, &shown)?);
        let started = Instant::now();
        let done = self.on_tab(&task).await;
        let place = told.open.as_deref().map_or_else(|| "the page that is open".to_owned(), |place| self.hide(place));
        let pressed = told.press.as_deref().unwrap_or("the one obvious button");
        let mut exchange = Exchange {
            request: format!("BROWSER {place}"),
            headers: Vec::new(),
            body: Some(format!("fills {:?}, presses {pressed}", told.fill)),
            status: None,
            answer_headers: Vec::new(),
            answer_body: None,
            fault: None,
            elapsed_us: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        };
        let line = exchange.request.clone();
        let (outcome, what) = match &done {
            Ok(read) if read.is_some() => (Outcome::Accepted, format!("the page shows \"{}\"", told.until)),
            Ok(_) => (Outcome::Refused, format!("the page shows \"{}\"", told.or_fails.unwrap_or_default())),
            Err(fault) => (Outcome::Failed, fault.clone()),
        };
        match outcome {
            Outcome::Failed => exchange.fault = Some(what.clone()),
            _ => exchange.answer_body = Some(what.clone()),
        }
        self.exchanges.push(exchange);
        if let Ok(Some(read)) = done {
            self.turn_into(&page.r#become, Auth::User, &read)?;
        }
        Ok(Ended { outcome, saw: format!("{line} → {what}") })
    }

    /// What was read from the page, when it worked.
    async fn on_tab(&mut self, task: &Task) -> Result<Option<serde_json::Value>, String> {
        let name = self.user.name.clone();
        if !self.tabs.contains_key(&name) {
            let tab = self.stage.browser.get_or_try_init(Browser::start).await?.tab().await?;
            self.tabs.insert(name.clone(), tab);
        }
        let tab: &Tab = self.tabs.get(&name).ok_or("the tab is gone")?;
        let manner = match &self.given {
            Given::Assertion(Assertion::Made(manner)) => *manner,
            Given::Assertion(_) | Given::For(_) | Given::Nothing => {
                return Err("a browser cannot be made to give another assertion than the page asks for".to_owned());
            }
        };
        let kept = self.user.key.as_ref().and_then(SecurityKey::stored);
        if let Some(stored) = &kept {
            tab.plug_in(stored).await?;
        }
        tab.set_manner(manner).await?;
        let shown = tab.perform(task).await;
        tab.set_manner(Manner::Right).await?;
        if let Some(stored) = tab.unplug().await? {
            match &mut self.user.key {
                Some(key) => key.resume(stored)?,
                None => self.user.key = Some(SecurityKey::resumed(stored)?),
            }
        }
        let shown = shown?;
        Ok(shown.worked.then(|| serde_json::json!(shown.read)))
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
        read: page.read.clone(),
    })
}
