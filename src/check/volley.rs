//! A volley: requests that are all written before the first is sent, and all sent before any is answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use minijinja::Value;

use super::keys::{Offer, PROOF};
use super::scene::{Conduct, Ended, Mistake, Scene};
use crate::dialect::step::{Deed, Request, Step};
use crate::dialect::template::Document;
use crate::dialect::{Dialect, Surface};
use crate::judge::Outcome;
use crate::scenario::{Carrier, Client};
use crate::secret::Secret;
use crate::wire::{Exchange, Wire};

/// The routine that opens a connection.
const WARM_UP: &str = "warm-up";

/// What a copy of an attempt carries, and who sends it.
pub(super) struct Load {
    /// What it carries, in words.
    pub words: String,
    /// The proof that it carries.
    pub carried: Option<(Secret, Carrier)>,
    /// What kind of client sends it, where that is said.
    pub client: Option<Client>,
}

/// One copy of an attempt.
pub(super) struct Copy<'a> {
    /// The surface that it is made on.
    pub surface: &'a Surface,
    /// What it works on.
    pub object: Value,
    /// What was kept of that so far.
    pub kept: BTreeMap<String, serde_json::Value>,
    /// The proof that it carries.
    pub carried: Option<(Secret, Carrier)>,
    /// What kind of client sends it, where that is said.
    pub client: Option<Client>,
}

/// What became of a copy.
pub(super) struct Landed {
    /// The answer's meaning.
    pub ended: Ended,
    /// What is kept by now.
    pub kept: BTreeMap<String, serde_json::Value>,
    /// What was sent and received.
    pub exchanges: Vec<Exchange>,
    /// Whether nothing was sent, as what is read before could not be.
    pub baseless: bool,
    /// Its route, where it was answered by "no such route".
    pub route: Option<String>,
}

/// What fetching one proof many times at once came to.
pub(super) struct Fetched {
    /// What was yielded.
    pub yielded: Vec<String>,
    /// What was seen of a request that got no usable answer, where one did not.
    pub failed: Option<String>,
}

/// The one request of a command, its undoing, and the arguments of the routines that it stands in, the outermost first.
struct Single<'a> {
    request: &'a Request,
    undo: &'a Arc<Vec<Step>>,
    within: Vec<&'a BTreeMap<String, Document>>,
}

impl Scene {
    /// Fetches the proof of a page so many times at once.
    pub(super) async fn collect_at_once(&mut self, offer: &Offer, times: u32) -> Result<Fetched, Mistake> {
        let args = Value::from(minijinja::value::Serde(&serde_json::json!({ "done": offer.done })));
        let before = std::mem::replace(&mut self.args, args);
        let fetched = self.fetch_at_once("collect-proof", PROOF, times).await;
        self.args = before;
        fetched
    }

    /// Runs a routine of one request so many times at once, for what it keeps of each answer under a name.
    pub(super) async fn fetch_at_once(&mut self, routine: &str, member: &str, times: u32) -> Result<Fetched, Mistake> {
        let dialect = Arc::clone(&self.stage.dialect);
        let steps = dialect.routines.get(routine).ok_or_else(|| format!("no routine `{routine}`"))?;
        let Single { request, undo, .. } = single(&dialect, steps)?;
        let pointer = request.keep.get(member).ok_or_else(|| format!("`{routine}` keeps no `{member}`"))?;
        let written: Result<Vec<_>, _> = (0..times).map(|_| self.compose(request, undo, None, None)).collect();
        let written = written?;
        let _places = self.stage.wire.places(written.len()).await;
        let wire = self.warm(written.len()).await?;
        let sending = written.into_iter().map(|outgoing| wire.send(outgoing, |text| self.hide(text)));
        let mut fetched = Fetched { yielded: Vec::new(), failed: None };
        for (answer, exchange) in join_all(sending).await {
            let ended = self.classify_as(request, &exchange, answer.as_ref())?;
            if ended.outcome == Outcome::Failed {
                fetched.failed.get_or_insert(ended.saw);
            }
            self.exchanges.push(exchange);
            if !undo.is_empty() {
                // What each copy has made is undone like anything else.
                self.digest(request, undo, answer.as_ref())?;
            }
            let json = answer.filter(|answer| answer.status == 200).and_then(|answer| answer.json);
            fetched.yielded.extend(json.as_ref().and_then(|json| json.pointer(pointer)?.as_str()).map(str::to_owned));
        }
        Ok(fetched)
    }

    /// Sends all copies at once.
    pub(super) async fn volley(&mut self, copies: Vec<Copy<'_>>) -> Result<Vec<Landed>, Mistake> {
        let dialect = Arc::clone(&self.stage.dialect);
        let (mut written, number) = (Vec::new(), copies.len());
        for Copy { surface, object, kept, carried, client } in copies {
            let Single { request, undo, within } = single(&dialect, &surface.perform)?;
            self.take_up(object.clone(), kept);
            let before = self.perform(&surface.before, &Conduct::Assisted).await?;
            if matches!(before.outcome, Outcome::Failed | Outcome::Throttled) {
                // There is nothing to compare a read-back with, so nothing is sent.
                let exchanges = std::mem::take(&mut self.exchanges);
                let kept = self.kept();
                let baseless = |_| Landed {
                    ended: before.clone(),
                    kept: kept.clone(),
                    exchanges: exchanges.clone(),
                    route: None,
                    baseless: true,
                };
                return Ok((0..number).map(baseless).collect());
            }
            for with in within {
                self.args = self.fill_all(with)?;
            }
            let web = self.web;
            self.web = client.map_or(web, |client| client == Client::Web);
            let outgoing = self.compose(request, undo, carried.as_ref(), None);
            self.web = web;
            let outgoing = outgoing?;
            written.push((request, undo, object, self.args.clone(), self.kept(), outgoing));
        }
        let _places = self.stage.wire.places(written.len()).await;
        let wire = self.warm(written.len()).await?;
        let before = std::mem::take(&mut self.exchanges);
        let mut marks = Vec::new();
        let mut sending = Vec::new();
        for (request, undo, object, args, kept, outgoing) in written {
            marks.push((request, undo, object, args, kept));
            sending.push(wire.send(outgoing, |text| self.hide(text)));
        }
        let answers = join_all(sending).await;
        self.exchanges = before;
        let mut landed = Vec::new();
        for ((request, undo, object, args, kept), (answer, exchange)) in marks.into_iter().zip(answers) {
            self.take_up(object, kept);
            self.args = args;
            self.exchanges.push(exchange);
            let ended = self.digest(request, undo, answer.as_ref())?;
            self.note_route(request, answer.as_ref(), &ended.outcome);
            let route = self.missing.take();
            let exchanges = std::mem::take(&mut self.exchanges);
            landed.push(Landed { ended, kept: self.kept(), exchanges, baseless: false, route });
        }
        Ok(landed)
    }

    /// Opens so many connections, each by a request of its own, and leaves them idle for the volley: what is then sent
    /// arrives together.
    async fn warm(&mut self, connections: usize) -> Result<Wire, Mistake> {
        let wire = self.stage.wire.keeping_idle()?;
        let dialect = Arc::clone(&self.stage.dialect);
        let Some(steps) = dialect.routines.get(WARM_UP) else { return Ok(wire) };
        let Single { request, undo, .. } = single(&dialect, steps)?;
        let mut outgoing = Vec::new();
        for _ in 0..connections {
            outgoing.push(self.compose(request, undo, None, None)?);
        }
        join_all(outgoing.into_iter().map(|outgoing| wire.send(outgoing, str::to_owned))).await;
        Ok(wire)
    }
}

/// Finds the one request of a command, however deep it stands in routines. Commands of several cannot be sent at once.
fn single<'a>(dialect: &'a Dialect, steps: &'a [Step]) -> Result<Single<'a>, Mistake> {
    match steps {
        [Step { deed: Deed::Request(request), undo, .. }] => Ok(Single { request, undo, within: Vec::new() }),
        [Step { deed: Deed::Routine { name, with }, .. }] => {
            let steps = dialect.routines.get(&name.value).ok_or_else(|| format!("no routine `{}`", name.value))?;
            let mut single = single(dialect, steps)?;
            single.within.insert(0, with);
            Ok(single)
        }
        _ => Err("only an action of one request can be attempted at once".to_owned()),
    }
}
