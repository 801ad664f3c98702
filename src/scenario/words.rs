//! Scenarios in words, for reports and for the page that lists every check.

use super::{Act, Attempt, BASIC, Errand, ErrandEnd, Guess, Listening, Must, Proof, Race};
use crate::persona::key::Manner;

impl Proof {
    /// What is sent, in words.
    pub fn words(&self) -> String {
        match self {
            Proof::None => "none".to_owned(),
            Proof::Right => "valid code".to_owned(),
            Proof::Wrong => "wrong code".to_owned(),
            Proof::Zeros => "six zeros".to_owned(),
            Proof::RecoveryShaped => "text of the form of a recovery code".to_owned(),
            Proof::Empty => "empty text".to_owned(),
            Proof::Text(_) => "text that is no code".to_owned(),
            Proof::Short => "valid code without its last digit".to_owned(),
            Proof::Long => "valid code with a digit more".to_owned(),
            Proof::LeadingZero => "valid code that begins with a zero".to_owned(),
            Proof::LeadingZeroDropped => "valid code without its leading zero".to_owned(),
            Proof::PendingSecret => "code of the pending secret".to_owned(),
            Proof::OfAnother => "another user's valid code".to_owned(),
            Proof::Expired(steps) => format!("code of {steps} steps ago"),
            Proof::Early(steps) => format!("code of {steps} steps ahead"),
            Proof::Again(name) => format!("spent proof `{name}`"),
            Proof::Kept(name) => format!("unused proof `{name}`"),
            Proof::FormerSecret => "code of the secret before".to_owned(),
            Proof::Recovery(number) => format!("recovery code {number}"),
            Proof::FormerRecovery(number) => format!("recovery code {number} of the enrolment before"),
            Proof::Of(name) => format!("{name}'s valid code"),
            Proof::Key(assertion) => assertion.words().to_owned(),
            Proof::Fetched(fetch) => fetch.words(),
        }
    }
}

impl Must {
    fn words(self) -> &'static str {
        match self {
            Must::Succeed => "must succeed",
            Must::BeRefused => "must be refused",
            Must::BeDenied => "must be denied, whatever is proven",
            Must::BeChallenged => "must be challenged",
            Must::BeChallengedIfKnown => "must be challenged, where it is known at all",
            Must::SucceedOnce => "must succeed once",
            Must::BeWhole => "must succeed or be refused, and nothing between",
            Must::AgreeWithFile => "must be accepted where the target's file says so",
            Must::EndIfItSucceeds => "may succeed, and then nothing follows",
        }
    }
}

impl Act {
    /// What is sent, and what must become of it.
    pub fn words(&self) -> String {
        match self {
            Act::Attempt(attempt) => attempt.words(),
            Act::AtOnce(race) => race.words(),
            Act::Wait(1) => "one step passes".to_owned(),
            Act::Wait(steps) => format!("{steps} steps pass"),
            Act::Run(errand) => errand.words(),
            Act::Guess(guess) => guess.words(),
        }
    }
}

impl Attempt {
    /// What is wrong with the key that it registers.
    pub fn wrong_registration(&self) -> Option<&'static str> {
        self.registration.registration_words().filter(|_| self.registration != Manner::Right)
    }

    /// What is sent, and how it is written.
    pub fn proof_words(&self) -> String {
        let proof = self.proof.words();
        self.written.words().map_or(proof.clone(), |written| format!("{proof} {written}"))
    }

    fn words(&self) -> String {
        let mut words = self.part.name_before(&format!("`{}`", self.perform.value));
        if let Some(routine) = &self.through {
            words += &format!(" (`{}`)", routine.value);
        }
        for routine in &self.given {
            words += &format!(" after `{}`", routine.value);
        }
        match self.with.as_ref().map(|with| with.value.as_str()) {
            Some(BASIC) => words += " with name and password",
            Some(token) => words += &format!(" with the token of `{token}`"),
            None => {}
        }
        if let Some(client) = &self.as_client {
            words += &format!(" as `{}` sends it", client.value);
        }
        if self.where_supported {
            words += ", where it is supported";
        }
        words += &match &self.proof {
            Proof::None => ", no proof".to_owned(),
            _ => format!(", {}", self.proof_words()),
        };
        if self.typed {
            words += ", typed at npm's prompt";
        }
        if let Some(registration) = self.wrong_registration() {
            words += &format!(", {registration}");
        }
        if self.times > 1 {
            words += &format!(", {} times", self.times);
        }
        if let Some(percent) = self.confidence {
            words += &format!(", until {percent} % sure");
        }
        format!("{words}: {}", self.must.words())
    }
}

impl Race {
    fn words(&self) -> String {
        let attempts: Vec<String> = self.attempts.iter().map(Attempt::words).collect();
        let again = match self.confidence {
            Some(percent) => format!(", until {percent} % sure"),
            None => String::new(),
        };
        format!("at once{again}: {}", attempts.join("; "))
    }
}

impl Errand {
    fn words(&self) -> String {
        let mut words = self.part.name_before(&format!("`{}`", self.routine.value));
        if let Some(name) = &self.with {
            words += &format!(" of `{}`", name.value);
        }
        if let Some(name) = &self.name {
            words += &format!(", kept as `{name}`");
        }
        match self.end {
            ErrandEnd::Succeed => words,
            ErrandEnd::Judged => words + ": must succeed",
            ErrandEnd::SucceedWhereSupported => words + ", where it is supported",
            ErrandEnd::Any => words + ", which may be refused",
            ErrandEnd::ShowNoSecret => words + ": must show no secret",
            ErrandEnd::BeUnderstood => words + ": must be answered so that stock clients take it",
        }
    }
}

impl Guess {
    fn words(&self) -> String {
        let must = match self.must {
            Listening::Stop => "the target must stop listening",
            Listening::BeTold => "where the target stops listening, it must say so",
            Listening::EndAsTold => {
                "where the target says for how long it stops listening, it listens again after that"
            }
            Listening::SayHowLong => "where the target stops listening with status 429, it must say for how long",
            Listening::BeHarmless => "a right code of the user's own session must be accepted after them",
            Listening::BeStated => "what becomes of it is stated",
        };
        let (routine, most) = (&self.routine.value, self.at_most);
        match self.bare {
            false => format!("`{routine}` with up to {most} wrong codes in a row: {must}"),
            true => format!("`{routine}` up to {most} times in a row without a code: {must}"),
        }
    }
}
