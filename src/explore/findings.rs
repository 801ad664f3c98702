//! What deviates: one of each kind, made smaller, and told so that a person can follow and repeat it.

use std::path::Path;

use super::document::{Deviation, Told};
use super::model::{Deed, Proof, Step};
use super::run::{Explorer, Tried, check_options};
use super::writing;
use crate::check::alone;
use crate::check::suite::Suite;
use crate::judge::{Effect, Verdict};
use crate::result::{Answered, quoted};
use crate::scenario::Scenario;
use crate::source::Source;

/// The most deviations that are shrunk and told one by one.
const MOST_TOLD: usize = 8;

/// What makes two deviations look alike before they are shrunk.
type Kind = (Verdict, String, std::mem::Discriminant<Proof>);

impl Explorer {
    /// One deviation for each verdict and action, in the order of the sequences.
    pub(super) async fn deviations(&self, played: Vec<(u64, Tried, usize)>) -> (Vec<Deviation>, usize) {
        let mut groups: Vec<(Kind, u64, Tried, Vec<u64>)> = Vec::new();
        for (number, tried, _) in played {
            let Some(kind) = self.kind(&tried) else { continue };
            let seed = self.options.seed.wrapping_add(number);
            match groups.iter_mut().find(|(known, ..)| *known == kind) {
                Some((.., alike)) => alike.push(seed),
                None => groups.push((kind, seed, tried, Vec::new())),
            }
        }
        let mut found: Vec<(Vec<Step>, Deviation)> = Vec::new();
        let mut untold = 0;
        for (_, seed, first, alike) in groups {
            if found.len() == MOST_TOLD {
                untold += 1;
                continue;
            }
            let found_after = first.steps.len();
            let shrunk = self.shrink(seed, first).await;
            let steps = shrunk.least.steps.clone();
            let mut deviation = self.deviation(seed, found_after, &shrunk.least, found.len() + 1);
            deviation.shrinking_cut_short = shrunk.cut_short;
            let same = |(known, other): &&mut (Vec<Step>, Deviation)| {
                let but_last = |steps: &[Step]| steps.split_last().map(|(_, before)| before.to_vec());
                but_last(known) == but_last(&steps) && other.verdicts == deviation.verdicts
            };
            if let Some((_, known)) = found.iter_mut().find(same) {
                let last = deviation.steps.last().map(Told::words);
                if last != known.steps.last().map(Told::words) {
                    known.also.extend(last.filter(|last| !known.also.contains(last)));
                }
                known.alike.push(seed);
                known.alike.extend(alike);
                continue;
            }
            deviation.alike = alike;
            deviation.replays = self.replays(&steps, &deviation.verdicts).await;
            found.push((steps, deviation));
        }
        (found.into_iter().map(|(_, deviation)| deviation).collect(), untold)
    }

    /// Whether the steps show the same on a registry that has seen nothing else.
    async fn replays(&self, steps: &[Step], verdicts: &[Verdict]) -> Option<bool> {
        if self.is_real() {
            return None;
        }
        let text = writing::write(&self.world, steps).text;
        let session = Suite::without_cases(check_options(&self.options)).ok()?.begin(Path::new("")).await.ok()?;
        let source = Source::Written { name: "sequence.yaml".to_owned(), text };
        let scenario = Scenario::read(&source, "sequence", &session.stage().dialect).ok()?;
        let acted = session.act(scenario, 0, None).await;
        Some(matches!(acted.end, alone::End::Deviated(again) if again == verdicts))
    }

    fn kind(&self, tried: &Tried) -> Option<Kind> {
        let (verdict, last) = (tried.verdict()?, tried.steps.last()?);
        Some(match last.deed {
            Deed::Act { door, proof } => {
                let label = self.world.doors.get(door).map_or_else(String::new, |door| door.label.clone());
                (verdict, label, std::mem::discriminant(&proof))
            }
            Deed::SignUp | Deed::Enrol(_) => (verdict, String::new(), std::mem::discriminant(&Proof::None)),
        })
    }

    fn deviation(&self, seed: u64, found_after: usize, tried: &Tried, number: usize) -> Deviation {
        let verdicts = match &tried.acted.end {
            alone::End::Deviated(verdicts) => verdicts.clone(),
            alone::End::Held | alone::End::Unsupported(_) | alone::End::Unplayable(_) => Vec::new(),
        };
        // What came after the deviating step has no place in the file.
        let written = writing::write(&self.world, &tried.steps);
        let steps = written.lines.iter().enumerate().map(|(step, line)| {
            let probe = tried.acted.probes.iter().find(|(act, _)| tried.written.step_of.get(*act) == Some(&step));
            Told {
                who: line.who.clone(),
                what: line.what.clone(),
                proof: line.proof.clone(),
                // A sign-up that does not succeed ends the sequence, and is no deviation.
                answer: probe.map_or(Answered::Accepted, |(_, probe)| probe.answer),
                saw: probe.map_or_else(String::new, |(_, probe)| probe.outcome.clone()),
                effect: probe.map_or(Effect::None, |(_, probe)| probe.effect),
                exchanges: probe.map_or_else(Vec::new, |(_, probe)| probe.exchanges.clone()),
            }
        });
        let last = written.lines.last();
        let file = format!("deviation-{number}.yaml");
        Deviation {
            verdicts,
            seed,
            found_after,
            steps: steps.collect(),
            due: last.map_or_else(String::new, |line| line.due.clone()),
            cite: last.map_or_else(String::new, |line| line.cite.clone()),
            also: Vec::new(),
            shrinking_cut_short: false,
            replays: None,
            repeat: self.repeat(&file, number),
            file,
            text: written.text,
            alike: Vec::new(),
        }
    }

    fn repeat(&self, file: &str, number: usize) -> String {
        let mut repeat = vec!["stepup check".to_owned()];
        if self.options.target != "embedded" {
            repeat.push(format!("--target {}", quoted(&self.options.target)));
        }
        repeat.extend(self.options.mutants.iter().map(|mutant| format!("--mutant {mutant}")));
        repeat.push(format!("--scenario {}", quoted(&self.options.out.join(file).display().to_string())));
        repeat.push(format!("--case 'deviation-{number}/*'"));
        repeat.join(" ")
    }
}
