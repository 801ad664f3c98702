//! What a scene writes: requests filled in with everything that templates read, and the form in which each text from
//! either side may be shown.

use std::collections::BTreeMap;

use minijinja::Value;

use super::scene::{Mistake, Scene};
use crate::dialect::headers;
use crate::dialect::step::{Auth, Request};
use crate::dialect::template::{Document, Unfilled};
use crate::persona::Persona;
use crate::persona::ledger::Ledger;
use crate::scenario::Carrier;
use crate::secret::{Guises, Searched, Secret, SecretKind, tickets};
use crate::wire::Outgoing;

impl Scene {
    pub(super) fn fill(
        &self,
        step: &Request,
        carried: Option<&(Secret, Carrier)>,
        real: &Value,
        shown: &Value,
    ) -> Result<Outgoing, Unfilled> {
        let dialect = &self.stage.dialect;
        let place = |variables: &Value| step.line.place.text(variables);
        let mut headers = Vec::new();
        let client = self.client.as_ref().and_then(|name| dialect.clients.get(name));
        for (name, value) in dialect.headers_of(step, self.command.as_deref(), client) {
            headers.push((name.to_owned(), value.text(real)?, value.text(shown)?));
        }
        for (name, value) in dialect.read_back_headers.iter().filter(|_| self.past_caches) {
            headers.push((name.clone(), value.text(real)?, value.text(shown)?));
        }
        if self.is_basic(step.auth) {
            let Persona { name, password, .. } = &self.user;
            let shown = format!("Basic {name}:{password}");
            headers.push(("authorization".to_owned(), headers::basic(name, password.reveal()), shown));
        }
        let token = match step.auth {
            Auth::User if self.basic => None,
            Auth::User => self.bearer.clone().or_else(|| self.user.token.clone()),
            Auth::Other => self.other.as_ref().and_then(|other| other.token.clone()),
            Auth::Kept => self
                .kept
                .get("token")
                .and_then(serde_json::Value::as_str)
                .map(|token| Secret::new(SecretKind::Token, token)),
            Auth::Basic | Auth::None => None,
        };
        if let Some(token) = token {
            headers.push(("authorization".to_owned(), format!("Bearer {}", token.reveal()), format!("Bearer {token}")));
        }
        let mut query = None;
        match carried {
            Some((proof, Carrier::AsDocumented)) if step.proof_field.is_none() => {
                headers.push((dialect.proof_header.clone(), proof.reveal().to_owned(), proof.to_string()));
            }
            Some((proof, Carrier::Header(name))) => {
                headers.push((name.clone(), proof.reveal().to_owned(), proof.to_string()));
            }
            Some((proof, Carrier::Query(name))) => query = Some((name, proof)),
            Some((_, Carrier::AsDocumented)) | None => {}
        }
        let field = |document: &mut serde_json::Value, value: &str| {
            if let (Some(field), serde_json::Value::Object(members)) = (&step.proof_field, document) {
                members.insert(field.clone(), value.into());
            }
        };
        let mut body = None;
        for (document, is_form) in [(&step.json, false), (&step.form, true)] {
            let Some(document) = document else { continue };
            let (mut sent, mut told) = (document.fill(real)?, document.fill(shown)?);
            if let Some((proof, Carrier::AsDocumented)) = carried {
                field(&mut sent, proof.reveal());
                field(&mut told, &proof.to_string());
            }
            let (kind, encode): (_, fn(&serde_json::Value) -> String) = if is_form {
                ("application/x-www-form-urlencoded", form)
            } else {
                ("application/json", ToString::to_string)
            };
            headers.push(("content-type".to_owned(), kind.to_owned(), kind.to_owned()));
            body = Some((encode(&sent).into_bytes(), if is_form { encode(&told) } else { self.hide(&encode(&told)) }));
        }
        let (mut sent, mut told) = (place(real)?, self.hide(&place(shown)?));
        if let Some((name, proof)) = query {
            let mark = if sent.contains('?') { '&' } else { '?' };
            sent = format!("{sent}{mark}{name}={}", proof.reveal());
            told = format!("{told}{mark}{name}={proof}");
        }
        Ok(Outgoing { method: step.line.method, place: sent, shown_place: told, headers, body })
    }

    /// Whether a request is sent with the user's name and password.
    fn is_basic(&self, auth: Auth) -> bool {
        match auth {
            Auth::Basic => true,
            Auth::User => self.basic,
            Auth::Other | Auth::Kept | Auth::None => false,
        }
    }

    pub(super) fn fill_all(&self, documents: &BTreeMap<String, Document>) -> Result<Value, Mistake> {
        let variables = self.variables(None, false);
        let mut filled = serde_json::Map::new();
        for (name, document) in documents {
            filled.insert(name.clone(), document.fill(&variables).map_err(|error| error.to_string())?);
        }
        Ok(Value::from(minijinja::value::Serde(&filled)))
    }

    /// What templates read; with `shown`, secrets are their placeholders.
    pub(super) fn variables(&self, entered: Option<&Secret>, shown: bool) -> Value {
        let value = |secret: &Secret| Value::from(if shown { secret.to_string() } else { secret.reveal().to_owned() });
        let persona = |persona: &Persona| {
            let token = persona.token.as_ref().map(value).unwrap_or_default();
            let former = persona.former.as_ref().map(value).unwrap_or_default();
            let first = value(&persona.first);
            minijinja::context! { name => persona.name.clone(), password => value(&persona.password), former, first, token, lent => persona.lent }
        };
        let other = self.other.as_ref().map(persona).unwrap_or_default();
        minijinja::context! {
            user => persona(&self.user),
            other => other,
            origin => self.origin().map(|origin| origin.as_str().trim_end_matches('/').to_owned()).unwrap_or_default(),
            base => self.stage.wire.base().as_str().trim_end_matches('/').to_owned(),
            mode => self.mode.clone(),
            object => self.object.clone(),
            args => self.args.clone(),
            kept => Value::from(minijinja::value::Serde(&self.kept)),
            tick => self.tick,
            client => if self.web { "web" } else { "legacy" },
            proof => entered.map(value).unwrap_or_default(),
        }
    }

    /// A text from the wire without the secrets that it may hold: those of this scene by value, others by the
    /// names of the JSON members that the dialect says are secret.
    pub(super) fn hide(&self, text: &str) -> String {
        let text = match serde_json::from_str::<serde_json::Value>(text) {
            Ok(mut json) if json.is_object() || json.is_array() => {
                hide_members(&mut json, &self.stage.dialect.secret_members);
                each_address(&mut json, &self.stage.dialect.address_members, &mut |address| {
                    for ticket in tickets(address) {
                        *address = address.replace(ticket.reveal(), &ticket.to_string());
                    }
                });
                json.to_string()
            }
            _ => text.to_owned(),
        };
        let personas = [Some(&self.user), self.other.as_ref()].into_iter().flatten().flat_map(|persona| {
            let own = [Some(&persona.password), Some(&persona.first), persona.former.as_ref(), persona.token.as_ref()];
            own.into_iter().flatten()
        });
        let codes = self.user.recovery_codes.iter().chain(&self.user.former_recovery_codes);
        let secrets = personas.chain(&self.carried).chain(codes).map(Secret::guises);
        let ledgers = self.user.ledger.iter().chain(&self.user.former_ledger).chain(&self.user.pending_ledger);
        let object = self.object.get_attr("password").ok();
        let password = object.as_ref().and_then(|password| password.as_str());
        let password = password.map(|password| Guises::of_text(SecretKind::Password, password));
        let kept = ["token", "secret"].into_iter().filter_map(|name| self.kept.get(name)?.as_str());
        let kept = kept.map(|token| Guises::of_text(SecretKind::Token, token));
        let others: Vec<Guises> = password.into_iter().chain(kept).collect();
        Searched::new(&text).without(secrets.chain(ledgers.map(Ledger::guises)).chain(&others))
    }
}

/// Does something with the values of the JSON members that the dialect says are addresses.
pub(super) fn each_address(json: &mut serde_json::Value, names: &[String], deed: &mut impl FnMut(&mut String)) {
    match json {
        serde_json::Value::Object(members) => {
            for (name, value) in members {
                match value {
                    serde_json::Value::String(text) if names.contains(name) => deed(text),
                    _ => each_address(value, names, deed),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| each_address(item, names, deed)),
        _ => {}
    }
}

fn hide_members(json: &mut serde_json::Value, names: &[String]) {
    match json {
        serde_json::Value::Object(members) => {
            for (name, value) in members {
                match value {
                    serde_json::Value::String(text) if names.contains(name) => *text = "‹hidden›".to_owned(),
                    serde_json::Value::Array(items)
                        if names.contains(name) && items.iter().all(serde_json::Value::is_string) =>
                    {
                        items.iter_mut().for_each(|item| *item = "‹hidden›".into());
                    }
                    _ => hide_members(value, names),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| hide_members(item, names)),
        _ => {}
    }
}

fn form(document: &serde_json::Value) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in document.as_object().into_iter().flatten() {
        form.append_pair(name, value.as_str().unwrap_or_default());
    }
    form.finish()
}
