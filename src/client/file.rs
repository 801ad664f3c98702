//! Client files: what is installed, how it is called, prompted and read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Situation;
use super::limits::Measured;
use crate::built_in;
use crate::dialect::Fact;
use crate::dialect::template::Template;
use crate::source::Source;
use crate::yaml::{self, FileError, Spanned};

/// The folder of the built-in client files.
const FOLDER: &str = "fixtures/clients";

/// A client, and how it is used.
#[derive(Debug)]
pub struct Client {
    /// Its name: the package and the generation, as in `npm@11`.
    pub name: String,
    /// What it is, in a line.
    pub about: String,
    /// What is installed: its own packages, and then the Node.js that runs it, where that is pinned.
    pub packages: Vec<Packages>,
    /// The program, relative to where it is installed, then its first arguments.
    pub program: Vec<String>,
    /// Its environment; nothing of ours is added beside a path, a home and a terminal.
    pub environment: BTreeMap<String, Template>,
    /// Files in its home.
    pub files: BTreeMap<String, Template>,
    /// What is added to files in its home where it is logged in.
    pub credentials: BTreeMap<String, Template>,
    /// The arguments that carry a one-time password.
    pub say_code: Vec<Template>,
    /// What its words show when it tells that a second factor is asked for.
    pub tells_challenge: Regex,
    /// What it asks in a terminal.
    pub prompts: Vec<Prompt>,
    /// How long a person takes before they type.
    pub moment: Duration,
    /// How long one command may take, a wait for a person's next code not counted.
    pub patience: Duration,
    /// How the rows of the tables are spelled, by the ids of the surfaces.
    pub rows: BTreeMap<String, Row>,
    /// What it does on the reference registry; nothing of a client that is not built in.
    pub measured: Vec<Measured>,
}

/// Packages from the npm registry, at pinned versions.
#[derive(Debug, Clone)]
pub struct Packages {
    /// What they are installed as.
    pub folder: String,
    /// Their `package.json`.
    pub manifest: String,
    /// Their `package-lock.json`.
    pub lockfile: String,
}

impl Packages {
    fn beside(source: &Source, folder: &str) -> Result<Self, FileError> {
        Ok(Packages {
            folder: folder.to_owned(),
            manifest: source.beside(&format!("{folder}/package.json")).text()?.into_owned(),
            lockfile: source.beside(&format!("{folder}/package-lock.json")).text()?.into_owned(),
        })
    }
}

/// What a client asks in a terminal, and what a person does then.
#[derive(Debug)]
pub struct Prompt {
    /// What it shows.
    pub shows: Regex,
    /// What is done.
    pub reply: Reply,
}

/// What a person does at a prompt.
#[derive(Debug)]
pub enum Reply {
    /// Types a line.
    Type(Template),
    /// Types a one-time password that answers a challenge.
    Code,
    /// Types a one-time password that confirms an enrolment.
    Confirmation,
    /// Opens the page whose address was shown: the pattern's first group.
    Page,
}

/// How a row is spelled.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Row {
    /// The arguments.
    #[serde(default)]
    pub run: Vec<Template>,
    /// Why it cannot be expressed at all.
    pub cannot: Option<String>,
    /// Why a script cannot express it.
    pub no_script: Option<String>,
    /// What a script pipes into it, where one line is all that it reads.
    pub piped: Option<Template>,
    /// Whether the client is not logged in.
    #[serde(default)]
    pub logged_out: bool,
    /// Whether it asks for a code before it sends anything. A wrong one then shows whether a code is asked for at all.
    #[serde(default)]
    pub asks_first: bool,
    /// The package archive that is written beside it as `package.tgz`: its name and version.
    pub tarball: Option<Tarball>,
    /// Files in the folder where it runs.
    #[serde(default)]
    pub files: BTreeMap<String, Template>,
    /// What shows the effect, in place of the surface's own reads.
    pub effect: Option<Vec<Fact>>,
}

/// A package archive.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tarball {
    /// The package's name.
    pub name: Template,
    /// Its version.
    pub version: Template,
}

/// A client file. Where it is `like` another one, what it does not say is said there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ClientFile {
    /// Its name: the package and the generation, as in `npm@11`.
    name: String,
    /// What it is, in a line.
    about: String,
    /// The client file beside this one that says what this one does not. Rows, files and variables are taken one by one.
    #[schemars(with = "Option<String>")]
    like: Option<Spanned<String>>,
    /// The folder beside this file whose packages are the Node.js that runs it; that of the machine unless said.
    node: Option<String>,
    /// The program, relative to where it is installed, then its first arguments.
    #[serde(default)]
    program: Vec<String>,
    /// Its environment variables; it has those alone, beside a path, a home and a terminal.
    #[serde(default)]
    environment: BTreeMap<String, Template>,
    /// Files in its home.
    #[serde(default)]
    files: BTreeMap<String, Template>,
    /// What is added to files in its home where it is logged in.
    #[serde(default)]
    credentials: BTreeMap<String, Template>,
    /// The arguments that carry a one-time password, `{{ code }}`.
    say_code: Option<Vec<Template>>,
    /// A regular expression: what its words show when it tells that a second factor is asked for.
    #[schemars(with = "Option<String>")]
    tells_challenge: Option<Spanned<String>>,
    /// What it asks in a terminal. The first that is shown is answered.
    prompts: Option<Vec<PromptFields>>,
    /// How many milliseconds a person takes before they type; for programs that forget what is typed before they listen.
    moment: Option<u16>,
    /// How many seconds one command may take before it is ended; 60 unless said.
    #[schemars(range(min = 1, max = 600), with = "Option<u16>")]
    patience: Option<Spanned<u16>>,
    /// How the rows of the tables are spelled, by the ids of the surfaces.
    #[serde(default)]
    rows: BTreeMap<String, Row>,
}

/// A prompt, and one thing that is done.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(extend("oneOf" = [{ "required": ["type"] }, { "required": ["reply"] }]))]
struct PromptFields {
    /// A regular expression over what has been shown since the last answer, without colours.
    #[schemars(with = "String")]
    shows: Spanned<String>,
    /// The line that is typed.
    r#type: Option<Template>,
    /// What else is done.
    reply: Option<ReplyKind>,
}

#[derive(Debug, Deserialize, Clone, Copy, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum ReplyKind {
    /// A one-time password is typed, which answers a challenge.
    Code,
    /// A one-time password is typed, which confirms an enrolment.
    Confirmation,
    /// The page whose address the first group holds is opened.
    Page,
}

/// How long a command may take unless its client's file says otherwise, in seconds.
const PATIENCE_S: u16 = 60;
/// The most that a client's file may say.
const MOST_PATIENCE_S: u16 = 600;

/// The names of the built-in clients.
pub fn names() -> Vec<String> {
    built_in::names(FOLDER).into_iter().map(name_of).collect()
}

/// A file's stem, as the name of the client in it: `npm-11` is `npm@11`.
fn name_of(stem: &str) -> String {
    match stem.rsplit_once('-') {
        Some((package, generation)) => format!("{package}@{generation}"),
        None => stem.to_owned(),
    }
}

/// Finds clients by built-in name or file; `all` names every built-in one.
pub fn find(name: &str) -> Result<Vec<Client>, FileError> {
    if name == "all" {
        return built_in::names(FOLDER).into_iter().map(|stem| read(&built_in_source(stem))).collect();
    }
    let is_file = Path::new(name).extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    if is_file {
        return Ok(vec![read(&Source::File(PathBuf::from(name)))?]);
    }
    let stem = built_in::names(FOLDER).into_iter().find(|stem| name_of(stem) == name);
    let stem = stem.ok_or_else(|| {
        let known = [names(), vec!["all".to_owned(), "wire".to_owned()]].concat();
        let hint = format!("{}; or a .yaml file", yaml::allowed(name, &known));
        FileError::whole(format!("--client {name}"), "no client of this name", Some(hint))
    })?;
    Ok(vec![read(&built_in_source(stem))?])
}

fn built_in_source(stem: &str) -> Source {
    Source::BuiltIn(format!("{FOLDER}/{stem}.yaml"))
}

/// Reads a client file.
pub fn read(source: &Source) -> Result<Client, FileError> {
    let mut file: ClientFile = source.parse()?;
    let mut program_of = source.clone();
    let mut patterns_of = source.clone();
    if let Some(like) = file.like.take() {
        let base = source.beside(&like.value);
        let unreadable = |error: FileError| match error.place() {
            None => source.wrong(&like, error.to_string(), None),
            Some(_) => error,
        };
        let other: ClientFile = base.parse().map_err(unreadable)?;
        if other.like.is_some() {
            let hint = Some("name that file itself".to_owned());
            return Err(source.wrong(&like, format!("{} is like another one in turn", like.value), hint));
        }
        if file.program.is_empty() {
            file.program = other.program;
        }
        file.node = file.node.or(other.node);
        for (own, others) in [
            (&mut file.environment, other.environment),
            (&mut file.files, other.files),
            (&mut file.credentials, other.credentials),
        ] {
            for (name, text) in others {
                own.entry(name).or_insert(text);
            }
        }
        for (id, row) in other.rows {
            file.rows.entry(id).or_insert(row);
        }
        file.say_code = file.say_code.or(other.say_code);
        if file.tells_challenge.is_none() {
            program_of = base.clone();
            file.tells_challenge = other.tells_challenge;
        }
        if file.prompts.is_none() {
            patterns_of = base;
            file.prompts = other.prompts;
        }
        file.moment = file.moment.or(other.moment);
        file.patience = file.patience.or(other.patience);
    }
    checked(source, file, &program_of, &patterns_of)
}

/// Checks a file. Its word for a challenge and its prompts may come from another one, where errors point then.
fn checked(source: &Source, file: ClientFile, tells: &Source, prompts: &Source) -> Result<Client, FileError> {
    if file.program.is_empty() {
        return Err(FileError::whole(source.name(), "the key `program` is missing", None));
    }
    let path = source.name();
    let stem = Path::new(&path).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
    let patience = match &file.patience {
        Some(said) if !(1..=MOST_PATIENCE_S).contains(&said.value) => {
            let message = format!("`{}` is no patience; allowed: 1 to {MOST_PATIENCE_S} seconds", said.value);
            return Err(source.wrong(said, message, None));
        }
        Some(said) => said.value,
        None => PATIENCE_S,
    };
    let pattern = |source: &Source, text: &Spanned<String>| {
        Regex::new(&text.value)
            .map_err(|error| source.wrong(text, format!("no regular expression: {}", last_line(&error)), None))
    };
    let tells_challenge = match &file.tells_challenge {
        Some(text) => pattern(tells, text)?,
        None => return Err(FileError::whole(source.name(), "the key `tells-challenge` is missing", None)),
    };
    let mut known = Vec::new();
    for prompt in file.prompts.unwrap_or_default() {
        let shows = pattern(prompts, &prompt.shows)?;
        let reply = match (prompt.r#type, prompt.reply) {
            (Some(line), None) => Reply::Type(line),
            (None, Some(ReplyKind::Code)) => Reply::Code,
            (None, Some(ReplyKind::Confirmation)) => Reply::Confirmation,
            (None, Some(ReplyKind::Page)) if shows.captures_len() < 2 => {
                let hint = Some(r"`(https?://\S+)`".to_owned());
                return Err(prompts.wrong(&prompt.shows, "no group of it holds the page's address", hint));
            }
            (None, Some(ReplyKind::Page)) => Reply::Page,
            (Some(_), Some(_)) | (None, None) => {
                let hint = Some("allowed: one of `type` and `reply`".to_owned());
                return Err(prompts.wrong(&prompt.shows, "what is done at this prompt is not clear", hint));
            }
        };
        known.push(Prompt { shows, reply });
    }
    let measured = match source {
        Source::BuiltIn(_) => source.beside(&format!("{stem}.limits.yaml")).parse()?,
        Source::File(_) | Source::Written { .. } => Vec::new(),
    };
    let mut packages = vec![Packages::beside(source, &stem)?];
    if let Some(node) = &file.node {
        packages.push(Packages::beside(source, node)?);
    }
    Ok(Client {
        name: file.name,
        about: file.about,
        packages,
        program: file.program,
        environment: file.environment,
        files: file.files,
        credentials: file.credentials,
        say_code: file.say_code.unwrap_or_default(),
        tells_challenge,
        prompts: known,
        moment: Duration::from_millis(file.moment.unwrap_or(0).into()),
        patience: Duration::from_secs(patience.into()),
        rows: file.rows,
        measured,
    })
}

/// The last line of a regular expression's error says what is wrong; those before draw it.
fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

impl Client {
    /// How it spells a surface in a situation. The error is why it cannot.
    pub fn row(&self, surface: &str, situation: Situation) -> Result<&Row, String> {
        let row = self.rows.get(surface).ok_or_else(|| format!("{} has no spelling of it", self.name))?;
        let cannot = row.cannot.as_ref().or(match situation {
            Situation::Script => row.no_script.as_ref(),
            Situation::Terminal => None,
        });
        match cannot {
            Some(reason) => Err(reason.clone()),
            None => Ok(row),
        }
    }
}
