//! A sequence as a scenario file: what is written here is what is played, and what `stepup check --scenario` replays.

use std::sync::Arc;

use super::model::{Deed, Due, Model, NAMES, Proof, Step};
use super::world::{Makes, World};
use crate::table::Mode;

/// What a proof that is sent again must not be.
const SPENT: &str = "RFC 6238 §5.2: the verifier must not accept the second attempt of the code";
const FOREIGN: &str = "RFC 6238 §3, R2 and R5: the secret is of one prover alone";
const FORMER: &str = "RFC 6238 §3, R5: one secret for each prover";
const RECOVERY: &str = "npm registry documentation, authentication: a one-time password or an unused recovery code";
const WRONG: &str =
    "npm documentation, About two-factor authentication: a second factor is asked for, and must be right";
const ENABLE: &str =
    "npm documentation, About two-factor authentication: no factor is there to be asked for before one is enabled";

/// A sequence, written.
#[derive(Debug, Clone)]
pub struct Written {
    /// The scenario file.
    pub text: String,
    /// What each step is, in words.
    pub lines: Vec<Line>,
    /// The number of the step that each act is of.
    pub step_of: Vec<usize>,
}

/// A step in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Who does it.
    pub who: String,
    /// What is done.
    pub what: String,
    /// Which proof is sent, where one could be.
    pub proof: Option<String>,
    /// What must become of it.
    pub due: String,
    /// Where that is said.
    pub cite: String,
}

/// Writes a sequence.
pub fn write(world: &Arc<World>, steps: &[Step]) -> Written {
    let mut model = Model::new(Arc::clone(world));
    let (mut acts, mut lines, mut step_of) = (Vec::new(), Vec::new(), Vec::new());
    for (number, step) in steps.iter().enumerate() {
        for act in acts_of(&model, number, step) {
            acts.push(act);
            step_of.push(number);
        }
        lines.push(line(&model, step));
        model = model.after(step);
    }
    let cast: Vec<&str> =
        (0..NAMES.len()).filter(|user| steps.iter().any(|step| step.by == *user)).map(|user| NAMES[user]).collect();
    let last = lines.last();
    let rule = last.map_or_else(String::new, |line| match &line.proof {
        Some(proof) => format!("{}, with {proof}, {}", line.what, line.due),
        None => format!("{} {}", line.what, line.due),
    });
    let cite = last.map_or(ENABLE, |line| &line.cite);
    let mut text = format!("rule: {}\nlevel: implied\ncites:\n  - {}\n", quoted(&rule), quoted(cite));
    text.push_str(&format!("leaves-account: used-up\ncast: [{}]\nacts:\n", cast.join(", ")));
    for act in acts {
        text.push_str(&format!("  - {{ {act} }}\n"));
    }
    Written { text, lines, step_of }
}

/// A text that YAML reads as it stands: JSON's strings are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn acts_of(model: &Model, number: usize, step: &Step) -> Vec<String> {
    let (by, mode) = (NAMES[step.by], model.mode(step.by));
    let proof = match step.deed {
        Deed::SignUp => return vec![format!("run: sign-up, by: {by}")],
        Deed::Enrol(mode) => {
            return vec![format!("run: enrol, by: {by}, mode: {mode}, as: {}, must: succeed", name(number))];
        }
        Deed::Act { proof, .. } => proof,
    };
    let Some(door) = model.door(step) else { return Vec::new() };
    let due = model.due(step);
    let mut act = format!("perform: {}, by: {by}, mode: {mode}, ", quoted(&door.id));
    act.push_str(&match proof {
        Proof::None => "proof: none".to_owned(),
        Proof::Right => format!("proof: right, as: {}", name(number)),
        Proof::Recovery => format!("proof: {{ recovery: {} }}, as: {}", model.next_recovery(step.by), name(number)),
        Proof::Wrong => "proof: wrong".to_owned(),
        Proof::Replayed(back) => {
            format!("proof: {{ again: {} }}", name(model.spent_at(step.by, back).unwrap_or_default()))
        }
        Proof::OfAnother(other) => format!("proof: {{ of: {} }}", NAMES[other]),
        Proof::FormerSecret => "proof: former-secret".to_owned(),
        // The last of them is the least likely to have been used.
        Proof::FormerRecovery => "proof: { former-recovery: 4 }".to_owned(),
    });
    act.push_str(match due {
        Due::Success => ", must: succeed",
        Due::Challenge => ", must: be-challenged",
        Due::Refusal => ", must: be-refused",
    });
    let mut acts = vec![act];
    // A change of the password may end all sessions.
    if due == Due::Success && door.makes == Makes::OtherPassword && model.world().logs_in {
        acts.push(format!("run: log-in, by: {by}, mode: {mode}"));
    }
    acts
}

/// The name of the proof that a step sends.
fn name(step: usize) -> String {
    format!("step-{}", step + 1)
}

fn line(model: &Model, step: &Step) -> Line {
    let who = NAMES[step.by].to_owned();
    let plain = |what: String, cite: &str| Line {
        who: who.clone(),
        what,
        proof: None,
        due: "must succeed".to_owned(),
        cite: cite.to_owned(),
    };
    let proof = match step.deed {
        Deed::SignUp => return plain("signs up".to_owned(), ENABLE),
        Deed::Enrol(mode) => return plain(format!("enables 2FA, {}", in_words(mode)), ENABLE),
        Deed::Act { proof, .. } => proof,
    };
    let Some(door) = model.door(step) else { return plain(String::new(), ENABLE) };
    let surface = door.id.split_once(':').map(|(_, surface)| format!(" [{surface}]")).unwrap_or_default();
    let row = door.clause(model.mode(step.by)).map_or_else(String::new, |clause| clause.cite.clone());
    let spent =
        model.spent_at(step.by, if let Proof::Replayed(back) = proof { back } else { 0 }).map_or(0, |at| at + 1);
    let (proof, cite) = match proof {
        Proof::None => ("no proof".to_owned(), row),
        Proof::Right => ("a valid code".to_owned(), row),
        Proof::Recovery => ("a recovery code".to_owned(), RECOVERY.to_owned()),
        Proof::Wrong => ("a wrong code".to_owned(), WRONG.to_owned()),
        Proof::Replayed(_) => (format!("the proof of step {spent} again"), SPENT.to_owned()),
        Proof::OfAnother(other) => (format!("{}'s valid code", NAMES[other]), FOREIGN.to_owned()),
        Proof::FormerSecret => ("a code of the secret before".to_owned(), FORMER.to_owned()),
        Proof::FormerRecovery => ("a recovery code of the enrolment before".to_owned(), RECOVERY.to_owned()),
    };
    let due = match model.due(step) {
        Due::Success => "must succeed",
        Due::Challenge => "must be challenged, and have no effect",
        Due::Refusal => "must be refused, and have no effect",
    };
    let due = format!("{due}: {}", in_words(model.mode(step.by)));
    let command = match door.makes {
        // The row's command names a mode of its own.
        Makes::OtherMode => "npm profile enable-2fa, the other mode",
        Makes::Nothing | Makes::Disabled | Makes::OtherPassword => &door.command,
    };
    let what = format!("{}{surface} ({command})", door.label);
    Line { who, what, proof: Some(proof), due, cite }
}

fn in_words(mode: Mode) -> &'static str {
    match mode {
        Mode::Disabled => "2FA disabled",
        Mode::AuthOnly => "authorization only",
        Mode::AuthAndWrites => "authorization and writes",
    }
}
