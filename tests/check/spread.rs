//! Where users cost nothing, what takes several codes is spread over several users: sooner done, and judged alike.

use std::time::Duration;

use stepup::check::Provisioner;
use stepup::judge::Verdict;
use stepup::registry::Mutant;
use stepup::result::{CaseResult, Status};

use crate::in_process::{Target, wrong};

/// How long a run waits on its clock, and what it found.
async fn run(mutants: &[Mutant], spread: bool, case: &str) -> (Duration, CaseResult) {
    let target = Target::start(mutants).await;
    target.spread.set(spread);
    let began = target.clock.now();
    let mut results = target.run(Provisioner::SelfService, &[case]).await;
    let result = results.pop().expect("the case");
    assert!(results.is_empty(), "one case: {case}");
    (began.until(target.clock.now()), result)
}

fn names(result: &CaseResult) -> Vec<&str> {
    result.probes.iter().map(|probe| probe.name.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_that_each_take_a_code_wait_side_by_side() {
    let case = "tokens/read-only-token-with-a-code/auth-and-writes/totp/wire";
    let (alone, by_one) = run(&[], false, case).await;
    let (together, by_several) = run(&[], true, case).await;
    let faults = [&by_one, &by_several].map(|result| wrong(std::slice::from_ref(result)));
    assert_eq!(faults, [Vec::<String>::new(), Vec::new()]);
    assert_eq!(names(&by_one), names(&by_several));
    let answers =
        |result: &CaseResult| result.probes.iter().map(|probe| (probe.answer, probe.effect)).collect::<Vec<_>>();
    assert_eq!(answers(&by_one), answers(&by_several));
    assert!(alone >= Duration::from_secs(150) && together <= Duration::from_secs(60), "{alone:?} {together:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_of_several_users_is_let_do_is_found() {
    let (_, result) = run(&[Mutant::ReplayAccepted], true, "otp/replay-at-once/auth-and-writes/totp/wire").await;
    assert_eq!((result.status, result.verdicts.as_slice()), (Status::Fail, &[Verdict::ReplayAccepted][..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn volleys_of_a_race_are_sent_by_a_user_each_and_counted_together() {
    let case = "otp/replay-at-once/auth-and-writes/totp/wire";
    let (alone, by_one) = run(&[], false, case).await;
    let (together, by_several) = run(&[], true, case).await;
    assert_eq!((by_one.status, by_several.status), (Status::Pass, Status::Pass), "{}", by_several.observed);
    assert_eq!(by_one.statements, by_several.statements);
    assert!(by_several.statements[0].contains("sent 17 times"), "{:?}", by_several.statements);
    assert!(alone >= Duration::from_secs(400) && together <= Duration::from_secs(60), "{alone:?} {together:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn set_up_is_proven_by_recovery_codes_without_a_wait() {
    let case = "packages/automation-token-refused/auth-and-writes/totp/wire";
    let (codes, by_codes) = run(&[], false, case).await;
    let (spared, by_recovery_codes) = run(&[], true, case).await;
    assert_eq!(wrong(&[by_codes, by_recovery_codes]), Vec::<String>::new());
    assert!(spared.is_zero() && codes >= Duration::from_secs(30), "{spared:?} {codes:?}");
}
