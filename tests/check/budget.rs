//! A budget: the most telling cases first, and what was left is said.

use std::time::Duration;

use stepup::check::Provisioner;
use stepup::result::{NotRun, Status};

use crate::in_process::{Target, wrong};

#[tokio::test(flavor = "multi_thread")]
async fn a_case_that_takes_longer_than_is_left_is_not_begun() {
    let target = Target::start(&[]).await;
    target.budget.set(Some(Duration::from_secs(90)));
    let began = target.clock.now();
    let select = ["otp/expired-by-10/*/*/*", "otp/empty/*/*/*", "auth-and-writes/publish/totp/*"];
    let results = target.run(Provisioner::SelfService, &select).await;
    assert!(began.until(target.clock.now()) <= Duration::from_secs(90));
    let (left, played): (Vec<_>, Vec<_>) = results.into_iter().partition(|case| case.not_run.is_some());
    assert_eq!((played.len(), wrong(&played)), (3, vec![]));
    let told: Vec<_> = left.iter().map(|case| (case.status, case.not_run, case.observed.as_str())).collect();
    let why = "it takes about 6 min, and 1 min 30 s of the budget were left";
    assert_eq!(told, [(Status::Skipped, Some(NotRun::Budget), why); 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_that_waits_when_the_budget_is_spent_is_ended_and_says_so() {
    let target = Target::start(&[]).await;
    target.budget.set(Some(Duration::from_secs(5)));
    let began = target.clock.now();
    // It needs a code for each of its routines, which the estimate does not know.
    let case = "packages/automation-token-refused/auth-and-writes/totp/wire";
    let results = target.run(Provisioner::SelfService, &[case]).await;
    assert!(began.until(target.clock.now()) <= Duration::from_secs(35), "{:?}", began.until(target.clock.now()));
    let told = (results[0].status, results[0].not_run, results[0].observed.as_str());
    assert_eq!(told, (Status::Skipped, Some(NotRun::Budget), "the budget of 5 s was spent while it waited"));
    assert!(target.packages().await == 0 || !results[0].left.is_empty(), "what it made is gone, or told");
}
