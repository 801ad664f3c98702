//! Requests as they are written under load: cut out of the dialect's templates once, filled in with a few copies.
//!
//! A template is evaluated with marks in place of what differs from request to request, and cut at the marks. What is
//! between them is the same for every request, so writing one is copying bytes.

use std::collections::BTreeMap;
use std::ops::Range;

use minijinja::Value;
use reqwest::Url;

use super::users::{Papers, Users};
use crate::dialect::predicate::Predicate;
use crate::dialect::step::{Auth, Deed, Method, Request, Step};
use crate::dialect::template::Unfilled;
use crate::dialect::{Dialect, Surface, headers};

/// What differs from request to request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Name,
    Password,
    Token,
    Proof,
    /// A number that no other request has, be it of this run or of another.
    Number,
    /// The length of the body.
    Length,
}

/// The marks. No template makes these letters of its own, and no encoding changes them.
const MARKS: [(&str, Slot); 6] = [
    ("XsuNameXsu", Slot::Name),
    ("XsuPasswordXsu", Slot::Password),
    ("XsuTokenXsu", Slot::Token),
    ("XsuProofXsu", Slot::Proof),
    ("XsuNumberXsu", Slot::Number),
    ("XsuLengthXsu", Slot::Length),
];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(Range<usize>),
    Slot(Slot),
}

/// A request, cut up.
#[derive(Debug, Clone)]
pub struct Form {
    text: Vec<u8>,
    head: Vec<Part>,
    body: Vec<Part>,
}

/// The requests of one action.
#[derive(Debug, Clone)]
pub struct Forms {
    /// Without a proof.
    pub bare: Form,
    /// With one.
    pub proven: Form,
    /// The method and path, for people.
    pub shown: String,
}

/// What a request is filled in with.
pub struct Filling<'a> {
    /// Everyone.
    pub users: &'a Users,
    /// Who sends it.
    pub papers: &'a Papers,
    /// The proof; empty for none.
    pub proof: &'a [u8],
    /// The number.
    pub number: u64,
}

impl Forms {
    /// Those of a command that is sent in another way. Nothing is written with them.
    pub fn none(shown: String) -> Self {
        Forms { bare: Form::cut("", ""), proven: Form::cut("", ""), shown }
    }
}

impl Form {
    fn cut(head: &str, body: &str) -> Self {
        let mut form = Form { text: Vec::new(), head: Vec::new(), body: Vec::new() };
        form.head = form.parts(head);
        form.body = form.parts(body);
        form
    }

    fn parts(&mut self, text: &str) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut rest = text;
        loop {
            let next =
                MARKS.iter().filter_map(|(mark, slot)| Some((rest.find(mark)?, *mark, *slot))).min_by_key(|at| at.0);
            let (literal, slot, after) = match next {
                Some((at, mark, slot)) => (&rest[..at], Some(slot), &rest[at + mark.len()..]),
                None => (rest, None, ""),
            };
            if !literal.is_empty() {
                let begins = self.text.len();
                self.text.extend_from_slice(literal.as_bytes());
                parts.push(Part::Literal(begins..self.text.len()));
            }
            match slot {
                Some(slot) => parts.push(Part::Slot(slot)),
                None => return parts,
            }
            rest = after;
        }
    }

    /// Writes the request. `scratch` is memory for the body.
    pub fn write(&self, filling: &Filling<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
        scratch.clear();
        self.write_parts(&self.body, filling, 0, scratch);
        self.write_parts(&self.head, filling, scratch.len(), out);
        out.extend_from_slice(scratch);
    }

    fn write_parts(&self, parts: &[Part], filling: &Filling<'_>, length: usize, out: &mut Vec<u8>) {
        let user = filling.papers.user();
        for part in parts {
            match part {
                Part::Literal(range) => out.extend_from_slice(&self.text[range.clone()]),
                Part::Slot(Slot::Name) => filling.users.write_name(user, out),
                Part::Slot(Slot::Password) => filling.users.write_password(user, out),
                Part::Slot(Slot::Token) => filling.users.write_token(filling.papers, out),
                Part::Slot(Slot::Proof) => out.extend_from_slice(filling.proof),
                Part::Slot(Slot::Number) => write_number(filling.number, out),
                Part::Slot(Slot::Length) => write_number(length as u64, out),
            }
        }
    }
}

fn write_number(number: u64, out: &mut Vec<u8>) {
    let begins = out.len();
    let mut rest = number;
    loop {
        out.push(b'0' + (rest % 10) as u8);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out[begins..].reverse();
}

/// Whether connections are used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Connect {
    /// As clients with a pool of connections do.
    #[default]
    KeepAlive,
    /// Each request has a connection of its own.
    PerRequest,
}

impl Connect {
    /// Its name in profiles and results.
    pub fn name(self) -> &'static str {
        match self {
            Connect::KeepAlive => "keep-alive",
            Connect::PerRequest => "per-request",
        }
    }
}

/// Which of a dialect's surfaces has this id.
pub fn surface_of(dialect: &Dialect, surface: &str) -> Result<usize, String> {
    let ids = || dialect.surfaces.iter().map(crate::dialect::Surface::id).collect::<Vec<_>>();
    let found = dialect.surfaces.iter().position(|known| known.id() == surface);
    found.ok_or_else(|| format!("no action `{surface}`; {}", crate::yaml::allowed(surface, &ids())))
}

/// Makes the forms of a surface's command, where it is one request that nothing has to be known for. The error is why it
/// is not.
pub fn forms(dialect: &Dialect, surface: &str, base: &Url, connect: Connect) -> Result<Forms, String> {
    let found = &dialect.surfaces[surface_of(dialect, surface)?];
    if let Some(reason) = &found.undriven {
        return Err(format!("`{surface}` cannot be driven on this target: {reason}"));
    }
    let marked = Cut::of(dialect, found, base, connect, mark)?;
    let plain = Cut::of(dialect, found, base, connect, example)?;
    let filled =
        |text: &str| MARKS.iter().fold(text.to_owned(), |text, (mark, slot)| text.replace(mark, example(*slot)));
    if [&marked.bare, &marked.proven].map(|(head, body)| (filled(head), filled(body))) != [plain.bare, plain.proven] {
        return Err(cannot(surface, &"what it sends is worked out from what differs, as an archive of a package is"));
    }
    let form = |(head, body): (String, String)| Form::cut(&head, &body);
    Ok(Forms { bare: form(marked.bare), proven: form(marked.proven), shown: marked.shown })
}

/// The method and path of a surface's command, for people, where it is one request that nothing has to be known for.
pub fn shown(dialect: &Dialect, surface: &str, base: &Url, connect: Connect) -> Option<String> {
    let found = &dialect.surfaces[surface_of(dialect, surface).ok()?];
    Some(Cut::of(dialect, found, base, connect, mark).ok()?.shown)
}

/// The texts of a command's one request, with something in place of what differs from request to request.
struct Cut {
    bare: (String, String),
    proven: (String, String),
    /// The method and path, for people.
    shown: String,
}

impl Cut {
    fn of(dialect: &Dialect, found: &Surface, base: &Url, connect: Connect, stands: Stands) -> Result<Self, String> {
        let surface = found.id();
        let cannot = |error: Unfilled| cannot(&surface, &error);
        let name = format!("su-load-{}", stands(Slot::Number));
        let bare = minijinja::context! {
            n => stands(Slot::Number), name => name.clone(), user => stands(Slot::Name), password => stands(Slot::Password),
        };
        let mut object = BTreeMap::from([("name".to_owned(), name)]);
        for (name, template) in &found.object {
            object.insert(name.clone(), template.text(&bare).map_err(cannot)?);
        }
        let object = Value::from(minijinja::value::Serde(&object));
        let (request, args) =
            only_request(dialect, &found.perform, &surface, (base, stands), &object, Value::UNDEFINED)?;
        let variables = variables(base, &object, &args, stands);
        let text = |proven| text(dialect, request, (base, connect), &variables, (stands, proven)).map_err(cannot);
        let shown = request.line.place.text(&variables).map_err(cannot)?;
        let shown = MARKS.iter().fold(shown, |shown, (mark, _)| shown.replace(mark, "…"));
        let shown = format!("{} {shown}", request.line.method.name());
        Ok(Cut { bare: text(false)?, proven: text(true)?, shown })
    }
}

/// What the answer of a surface's command must show, where the dialect says more than that it succeeds.
pub fn expectation<'a>(dialect: &'a Dialect, surface: &str) -> Option<&'a Predicate> {
    let mut steps = &dialect.surfaces.iter().find(|known| known.id() == surface)?.perform;
    loop {
        match &steps.first()?.deed {
            Deed::Request(request) => return request.expect.as_ref(),
            Deed::Routine { name, .. } => steps = dialect.routines.get(&name.value)?,
            Deed::Key(_) | Deed::Browse(_) => return None,
        }
    }
}

fn cannot(surface: &str, why: &impl std::fmt::Display) -> String {
    format!("`{surface}` cannot be sent as load, where nothing is prepared: {why}")
}

/// The one request that a command consists of, and the arguments of the routine that it is in.
fn only_request<'a>(
    dialect: &'a Dialect,
    steps: &'a [Step],
    surface: &str,
    (base, stands): (&Url, Stands),
    object: &Value,
    args: Value,
) -> Result<(&'a Request, Value), String> {
    let [step] = steps else {
        return Err(cannot(surface, &"the command is more than one request"));
    };
    match &step.deed {
        Deed::Request(request) => Ok((request, args)),
        Deed::Routine { name, with } => {
            let variables = variables(base, object, &args, stands);
            let mut filled = serde_json::Map::new();
            for (name, document) in with {
                filled.insert(name.clone(), document.fill(&variables).map_err(|error| cannot(surface, &error))?);
            }
            let args = Value::from(minijinja::value::Serde(&filled));
            let steps = dialect.routines.get(&name.value).map_or(&[][..], Vec::as_slice);
            only_request(dialect, steps, surface, (base, stands), object, args)
        }
        Deed::Key(_) | Deed::Browse(_) => Err(cannot(surface, &"it takes a page")),
    }
}

/// What stands in place of something that differs from request to request.
type Stands = fn(Slot) -> &'static str;

fn mark(slot: Slot) -> &'static str {
    MARKS.iter().find(|(_, known)| *known == slot).map_or("", |(mark, _)| mark)
}

/// What could stand there in a request.
fn example(slot: Slot) -> &'static str {
    match slot {
        Slot::Name => "somebody",
        Slot::Password => "word",
        Slot::Token => "token",
        Slot::Proof => "000000",
        Slot::Number => "7",
        Slot::Length => "40",
    }
}

fn variables(base: &Url, object: &Value, args: &Value, stands: Stands) -> Value {
    let password = stands(Slot::Password);
    let user = minijinja::context! {
        name => stands(Slot::Name), password, first => password, token => stands(Slot::Token), lent => true,
    };
    minijinja::context! {
        user, base => base.as_str().trim_end_matches('/'), origin => base.as_str().trim_end_matches('/'),
        mode => "auth-and-writes", object => object.clone(), args => args.clone(), kept => minijinja::context! {},
        n => stands(Slot::Number), tick => stands(Slot::Number), client => "legacy", password,
    }
}

fn text(
    dialect: &Dialect,
    request: &Request,
    (base, connect): (&Url, Connect),
    variables: &Value,
    (stands, proven): (Stands, bool),
) -> Result<(String, String), Unfilled> {
    let place = request.line.place.text(variables)?;
    let path = format!("{}/{}", base.path().trim_end_matches('/'), place.trim_start_matches('/'));
    let written = Written {
        path: &path,
        command: None,
        asks: match request.auth {
            Auth::User => Some(Asks::Bearer(stands(Slot::Token))),
            Auth::Basic => Some(Asks::Basic { name: stands(Slot::Name), password: stands(Slot::Password) }),
            Auth::Other | Auth::Kept | Auth::None => None,
        },
        proof: proven.then_some(stands(Slot::Proof)),
        length: Some(stands(Slot::Length)),
    };
    write(dialect, request, (base, connect), variables, &written)
}

/// Who asks.
pub(super) enum Asks<'a> {
    /// Whoever has this token.
    Bearer(&'a str),
    /// A user, with each request.
    Basic { name: &'a str, password: &'a str },
}

/// What a request is written with beside what its step says.
pub(super) struct Written<'a> {
    /// The path, with the query.
    pub(super) path: &'a str,
    /// The command that sends it, where its step leaves that to the one before.
    pub(super) command: Option<&'a str>,
    /// Who asks.
    pub(super) asks: Option<Asks<'a>>,
    /// The proof that it carries.
    pub(super) proof: Option<&'a str>,
    /// What stands for the length of the body; the length itself where there is nothing.
    pub(super) length: Option<&'a str>,
}

/// Writes a request: its head, and its body.
pub(super) fn write(
    dialect: &Dialect,
    request: &Request,
    (base, connect): (&Url, Connect),
    variables: &Value,
    written: &Written<'_>,
) -> Result<(String, String), Unfilled> {
    let (method, path) = (request.line.method.name(), written.path);
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", authority(base));
    for (name, value) in dialect.headers_of(request, written.command, None) {
        head.push_str(&format!("{name}: {}\r\n", value.text(variables)?));
    }
    match &written.asks {
        Some(Asks::Bearer(token)) => head.push_str(&format!("authorization: Bearer {token}\r\n")),
        Some(Asks::Basic { name, password }) => {
            head.push_str(&format!("authorization: {}\r\n", headers::basic(name, password)));
        }
        None => {}
    }
    if let (Some(proof), None) = (written.proof, &request.proof_field) {
        head.push_str(&format!("{}: {proof}\r\n", dialect.proof_header));
    }
    if connect == Connect::PerRequest {
        head.push_str("connection: close\r\n");
    }
    let mut body = String::new();
    for (document, is_form) in [(&request.json, false), (&request.form, true)] {
        let Some(document) = document else { continue };
        let mut filled = document.fill(variables)?;
        if let (Some(proof), Some(field), Some(members)) = (written.proof, &request.proof_field, filled.as_object_mut())
        {
            members.insert(field.clone(), proof.into());
        }
        let kind = if is_form { "application/x-www-form-urlencoded" } else { "application/json" };
        head.push_str(&format!("content-type: {kind}\r\n"));
        body = if is_form { urlencoded(&filled) } else { filled.to_string() };
    }
    if !body.is_empty() || !matches!(request.line.method, Method::Get) {
        let length = written.length.map_or_else(|| body.len().to_string(), str::to_owned);
        head.push_str(&format!("content-length: {length}\r\n"));
    }
    head.push_str("\r\n");
    Ok((head, body))
}

fn urlencoded(document: &serde_json::Value) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in document.as_object().into_iter().flatten() {
        form.append_pair(name, value.as_str().unwrap_or_default());
    }
    form.finish()
}

/// The host and port of an address, as the `host` header has them (RFC 9110 §7.2).
pub fn authority(base: &Url) -> String {
    let host = base.host_str().unwrap_or("localhost");
    base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::users::PoolSeed;

    fn written(surface: &str, proven: bool, connect: Connect) -> Result<String, String> {
        let dialect = crate::target::find("embedded").expect("the target").dialect;
        let base = Url::parse("http://127.0.0.1:4873/npm/").expect("an address");
        let forms = forms(&dialect, surface, &base, connect)?;
        let users = Users::seeded(PoolSeed::of_number(1), 10);
        let form = if proven { forms.proven } else { forms.bare };
        let papers = users.papers(7);
        let filling = Filling { users: &users, papers: &papers, proof: b"123456", number: 42 };
        let (mut scratch, mut out) = (Vec::new(), Vec::new());
        form.write(&filling, &mut scratch, &mut out);
        Ok(String::from_utf8(out).expect("text"))
    }

    #[test]
    fn a_request_is_what_the_dialect_says_with_each_slot_filled() {
        let text = written("profile-set:fullname", true, Connect::KeepAlive).expect("written");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("POST /npm/-/npm/v1/user HTTP/1.1\r\nhost: 127.0.0.1:4873\r\n"), "{head}");
        assert_eq!(body, r#"{"fullname":"Full Name 42"}"#);
        let users = Users::seeded(PoolSeed::of_number(1), 10);
        for line in [
            "npm-otp: 123456",
            "npm-auth-type: legacy",
            "npm-command: profile",
            "content-type: application/json",
            "content-length: 27",
            &format!("authorization: Bearer {}", users.token(7).reveal()),
        ] {
            assert!(head.lines().any(|seen| seen == line), "{line} is missing in {head}");
        }
        assert!(!text.contains("Xsu"), "{text}");
    }

    #[test]
    fn without_a_proof_nothing_stands_in_its_place() {
        let text = written("profile-set:fullname", false, Connect::PerRequest).expect("written");
        assert!(!text.contains("npm-otp"), "{text}");
        assert!(text.contains("\r\nconnection: close\r\n"), "{text}");
    }

    #[test]
    fn a_command_behind_a_routine_is_found_and_others_say_why_not() {
        assert!(written("hook-add", true, Connect::KeepAlive).expect("written").starts_with("POST /npm/"));
        let error = written("profile-set:fulname", true, Connect::KeepAlive).expect_err("misspelt");
        assert!(error.contains("did you mean `profile-set:fullname`?"), "{error}");
        let error = written("unpublish:version", true, Connect::KeepAlive).expect_err("two requests");
        assert!(error.contains("cannot be sent as load"), "{error}");
    }

    #[test]
    fn a_command_whose_text_is_worked_out_anew_for_each_request_is_not_cut() {
        // Its archive holds the name of the package, and the digests are of the archive.
        let error = written("publish", true, Connect::KeepAlive).expect_err("an archive of its own each");
        assert!(error.contains("as an archive of a package is"), "{error}");
    }
}
