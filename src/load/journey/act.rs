//! The acts of a journey: which action of the dialect, with which proof. Raw file to checked type.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dialect::step::{Deed, Step};
use crate::dialect::{Dialect, LeavesAccount, Surface};
use crate::load::mix::{Kind, Mix};
use crate::table::{Factor, Mode};
use crate::yaml;

/// No journey is longer.
const MOST_ACTS: usize = 100;

/// One act of a journey.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Act {
    /// The action, by its surface.
    pub action: String,
    /// What it carries; what stock clients do unless said.
    #[serde(default)]
    pub proof: Proof,
}

/// What an act carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// Nothing: it must be challenged, and the challenge is left unanswered.
    None,
    /// Nothing at first, and then, as an answer to the challenge, a valid code.
    #[default]
    Exchange,
    /// A valid code from the start.
    Right,
    /// A well-formed code that is not valid.
    Wrong,
    /// The last code that was accepted in this walk.
    Replayed,
}

impl Proof {
    /// The kind of arrival that an act with it is.
    pub fn kind(self) -> Kind {
        match self {
            Proof::None => Kind::ChallengeOnly,
            Proof::Exchange => Kind::Exchange,
            Proof::Right => Kind::Right,
            Proof::Wrong => Kind::Wrong,
            Proof::Replayed => Kind::Replayed,
        }
    }
}

impl Act {
    /// The act in a few words.
    pub fn label(&self) -> String {
        format!("{} ({})", self.action, self.proof.kind().name())
    }
}

/// The acts that each user performs, over and over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journey {
    acts: Vec<Act>,
}

impl Journey {
    /// A journey of these acts, or why they are none.
    pub fn new(acts: Vec<Act>) -> Result<Self, String> {
        if acts.is_empty() || acts.len() > MOST_ACTS {
            return Err(format!("{} acts; allowed: 1 to {MOST_ACTS}", acts.len()));
        }
        let spends = |act: &Act| act.proof.kind().spends();
        let mut before = acts.iter().take_while(|act| act.proof != Proof::Replayed);
        if acts.iter().any(|act| act.proof == Proof::Replayed) && !before.any(spends) {
            return Err("there is nothing to replay before an act with `right` or `exchange`".to_owned());
        }
        Ok(Journey { acts })
    }

    /// The acts, in their order.
    pub fn acts(&self) -> &[Act] {
        &self.acts
    }

    /// What the acts carry, each with the same weight.
    pub fn mix(&self) -> Mix {
        Mix::of(self.acts.iter().map(|act| act.proof.kind()))
    }

    /// The whole journey in a line.
    pub fn line(&self) -> String {
        self.acts.iter().map(Act::label).collect::<Vec<_>>().join(" → ")
    }

    /// Where each act stands in a dialect, or why one cannot be performed by the users of a pool.
    pub fn surfaces(&self, dialect: &Dialect) -> Result<Vec<usize>, String> {
        let find = |act: &Act| {
            let at = dialect.surfaces.iter().position(|surface| surface.id() == act.action);
            let at = at.ok_or_else(|| {
                let ids: Vec<String> = dialect.surfaces.iter().map(Surface::id).collect();
                format!("no action `{}`; {}", act.action, yaml::allowed(&act.action, &ids))
            })?;
            match unfit(dialect, &dialect.surfaces[at]) {
                Some(why) => Err(format!("`{}` cannot be an act of a journey: {why}", act.action)),
                None => Ok(at),
            }
        };
        self.acts.iter().map(find).collect()
    }
}

/// Why the users of a pool, who have one-time passwords in the strictest mode and walk again, cannot perform it.
fn unfit(dialect: &Dialect, surface: &Surface) -> Option<String> {
    let modes = surface.modes.as_ref().is_none_or(|modes| modes.contains(&Mode::AuthAndWrites));
    let factors = surface.factors.as_ref().is_none_or(|factors| factors.contains(&Factor::Totp));
    let steps = [&surface.prepare, &surface.before, &surface.perform];
    if let Some(reason) = &surface.undriven {
        Some(format!("this target cannot be driven there: {reason}"))
    } else if surface.companion {
        Some("it takes a second user".to_owned())
    } else if surface.leaves_account != LeavesAccount::AsItWas {
        Some("it may leave the user unable to walk again".to_owned())
    } else if !modes || !factors {
        Some("it is none of users with one-time passwords for all that they write".to_owned())
    } else if dialect.asks_on_page(&surface.perform) || steps.into_iter().any(|steps| browses(dialect, steps)) {
        Some("a page asks for the second factor".to_owned())
    } else {
        None
    }
}

/// Whether a browser or a security key takes part. Routines do not run in circles, which reading the dialect has seen to.
fn browses(dialect: &Dialect, steps: &[Step]) -> bool {
    steps.iter().any(|step| match &step.deed {
        Deed::Browse(_) | Deed::Key(_) => true,
        Deed::Request(_) => false,
        Deed::Routine { name, .. } => dialect.routines.get(&name.value).is_some_and(|steps| browses(dialect, steps)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journey(acts: &str) -> Result<Journey, String> {
        Journey::new(yaml::parse("acts", acts).expect("they read"))
    }

    #[test]
    fn acts_say_what_they_carry_and_stock_clients_answer_challenges() {
        let journey = journey("[{ action: login }, { action: publish, proof: none }]").expect("a journey");
        assert_eq!(journey.line(), "login (exchange) → publish (challenge-only)");
        assert_eq!(journey.mix().weight(Kind::Exchange), 1);
        assert_eq!(journey.mix().share(Kind::spends), 0.5);
    }

    #[test]
    fn a_journey_of_nothing_or_with_nothing_to_replay_is_none() {
        for (acts, said) in [
            ("[]", "0 acts; allowed: 1 to 100"),
            ("[{ action: login, proof: replayed }]", "nothing to replay"),
            ("[{ action: login, proof: replayed }, { action: login }]", "nothing to replay"),
        ] {
            let error = journey(acts).expect_err(acts);
            assert!(error.contains(said), "{acts}: {error}");
        }
        assert!(journey("[{ action: login }, { action: login, proof: replayed }]").is_ok());
    }

    #[test]
    fn acts_that_a_user_of_a_pool_cannot_perform_again_and_again_are_refused() {
        let dialect = crate::target::find("embedded").expect("the target").dialect;
        let surfaces = |action: &str| journey(&format!("[{{ action: {action} }}]")).expect(action).surfaces(&dialect);
        for (action, said) in [
            ("publisch", "no action `publisch`"),
            ("disable-2fa", "unable to walk again"),
            ("owner-add", "takes a second user"),
        ] {
            let error = surfaces(action).expect_err(action);
            assert!(error.contains(said), "{action}: {error}");
        }
        let several = surfaces("\"unpublish:version\"").expect("several requests, with preparation");
        assert_eq!(dialect.surfaces[several[0]].id(), "unpublish:version");
    }
}
