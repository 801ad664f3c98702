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
use crate::scenario::{Carrier, Client};
use crate::secret::{Secret, SecretKind};
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
}

/// The one request of a command, its undoing, and the arguments of the routine that it stands in.
type Single<'a> = (&'a Request, &'a Arc<Vec<Step>>, Option<&'a BTreeMap<String, Document>>);

impl Scene {
    /// Fetches the proof of a page so many times at once. Returns what was yielded.
    pub(super) async fn collect_at_once(&mut self, offer: &Offer, times: u32) -> Result<Vec<Secret>, Mistake> {
        let dialect = Arc::clone(&self.stage.dialect);
        let steps = dialect.routines.get("collect-proof").ok_or("no routine `collect-proof`")?;
        let (request, undo, _) = single(&dialect, steps)?;
        let pointer = request.keep.get(PROOF).ok_or("`collect-proof` keeps no `proof`")?;
        let args = Value::from(minijinja::value::Serde(&serde_json::json!({ "done": offer.done })));
        let before = std::mem::replace(&mut self.args, args);
        let written: Result<Vec<_>, _> = (0..times).map(|_| self.compose(request, undo, None, None)).collect();
        self.args = before;
        let written = written?;
        let wire = self.warm(written.len()).await?;
        let sending = written.into_iter().map(|outgoing| wire.send(outgoing, |text| self.hide(text)));
        let mut yielded = Vec::new();
        for (answer, exchange) in join_all(sending).await {
            self.exchanges.push(exchange);
            let json = answer.filter(|answer| answer.status == 200).and_then(|answer| answer.json);
            let token = json.as_ref().and_then(|json| json.pointer(pointer)?.as_str());
            yielded.extend(token.map(|token| Secret::new(SecretKind::WebToken, token)));
        }
        Ok(yielded)
    }

    /// Sends all copies at once.
    pub(super) async fn volley(&mut self, copies: Vec<Copy<'_>>) -> Result<Vec<Landed>, Mistake> {
        let dialect = Arc::clone(&self.stage.dialect);
        let mut written = Vec::new();
        for Copy { surface, object, kept, carried, client } in copies {
            let (request, undo, with) = single(&dialect, &surface.perform)?;
            self.take_up(object.clone(), kept);
            self.perform(&surface.before, &Conduct::Assisted).await?;
            if let Some(with) = with {
                self.args = self.fill_all(with)?;
            }
            let web = self.web;
            self.web = client.map_or(web, |client| client == Client::Web);
            let outgoing = self.compose(request, undo, carried.as_ref(), None);
            self.web = web;
            let outgoing = outgoing?;
            written.push((request, undo, object, self.args.clone(), self.kept(), outgoing));
        }
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
            let exchanges = std::mem::take(&mut self.exchanges);
            landed.push(Landed { ended, kept: self.kept(), exchanges });
        }
        Ok(landed)
    }

    /// Opens so many connections, each by a request of its own, and leaves them idle for the volley: what is then sent
    /// arrives together.
    async fn warm(&mut self, connections: usize) -> Result<Wire, Mistake> {
        let wire = self.stage.wire.keeping_idle()?;
        let dialect = Arc::clone(&self.stage.dialect);
        let Some(steps) = dialect.routines.get(WARM_UP) else { return Ok(wire) };
        let (request, undo, _) = single(&dialect, steps)?;
        let mut outgoing = Vec::new();
        for _ in 0..connections {
            outgoing.push(self.compose(request, undo, None, None)?);
        }
        join_all(outgoing.into_iter().map(|outgoing| wire.send(outgoing, str::to_owned))).await;
        Ok(wire)
    }
}

/// Finds the one request of a command. Commands of several cannot be sent at once.
fn single<'a>(dialect: &'a Dialect, steps: &'a [Step]) -> Result<Single<'a>, Mistake> {
    match steps {
        [Step { deed: Deed::Request(request), undo, .. }] => Ok((request, undo, None)),
        [Step { deed: Deed::Routine { name, with }, .. }] => {
            let steps = dialect.routines.get(&name.value).ok_or_else(|| format!("no routine `{}`", name.value))?;
            let (request, undo, _) = single(dialect, steps)?;
            Ok((request, undo, Some(with)))
        }
        _ => Err("only an action of one request can be attempted at once".to_owned()),
    }
}
