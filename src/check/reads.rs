//! Reads that tell absence by "not found" say so only once they have found something. Where users make themselves, that is
//! shown before the first case that needs it: a user without a second factor makes what the reads look for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::plan::Case;
use super::scene::{Conduct, Mistake, Scene};
use super::{Provisioner, Run, cast, persona};
use crate::dialect::Surface;
use crate::judge::Outcome;
use crate::table::Mode;

/// What such a user is for, in place of a case.
const READS: &str = "reads";

/// The surfaces whose reads were tried, by their numbers in the dialect. Others wait while one is.
#[derive(Debug, Clone, Default)]
pub struct Tried(Arc<tokio::sync::Mutex<BTreeSet<usize>>>);

impl Run {
    /// Shows that the reads of a case's effects find what is there. Where that fails nothing follows from it but that they
    /// have shown nothing yet.
    pub(super) async fn prove_reads(&self, case: &Case) {
        if !matches!(self.provisioner, Provisioner::SelfService) {
            // On accounts that are few, the first right proof shows it.
            return;
        }
        let dialect = Arc::clone(&self.stage.dialect);
        for number in case.surfaces(&dialect) {
            let surface = &dialect.surfaces[number];
            let by_not_found =
                |fact: &crate::dialect::Fact| fact.fresh && fact.needs.is_none() && fact.absent.names(404);
            if surface.companion || !surface.effect.iter().any(by_not_found) {
                continue;
            }
            let mut tried = self.stage.proven.tried.0.lock().await;
            if tried.insert(number) && self.stage.stop.cause(self.stage.clock.now()).is_none() {
                // A fault here shows in the cases themselves.
                let _ = self.try_reads(number, surface).await;
            }
        }
    }

    async fn try_reads(&self, number: usize, surface: &Surface) -> Result<(), Mistake> {
        let user = persona(self, &format!("{READS}-{number}"));
        self.journal_user(READS, &user.name)?;
        let mut scene = Scene::open(&self.stage, user, Mode::Disabled.name(), READS).await;
        let shown = self.show_reads(&mut scene, number, surface).await;
        // What is left of it is in the journal.
        let _ = cast::clean_up(self, &mut scene, READS).await;
        shown
    }

    async fn show_reads(&self, scene: &mut Scene, number: usize, surface: &Surface) -> Result<(), Mistake> {
        if scene.routine("sign-up", &Conduct::Bare).await?.outcome != Outcome::Accepted {
            return Ok(());
        }
        let name = format!("{}-{READS}-{number}-0", self.prefix);
        let password = scene.user.password.reveal().to_owned();
        let object = surface.object_named(&name, 0, &scene.user.name, &password);
        scene.take_up(object.map_err(|error| error.to_string())?, BTreeMap::new());
        for steps in [&surface.prepare, &surface.perform] {
            if scene.perform(steps, &Conduct::Bare).await?.outcome != Outcome::Accepted {
                return Ok(());
            }
        }
        scene.effect(&surface.effect, &[]).await.map(|_| ())
    }
}
