//! What is learnt of a target before its first case.

use std::time::Duration;

use stepup::check::Provisioner;

use crate::in_process::relay::{Relayed, relay};
use crate::in_process::{Target, wrong};

#[tokio::test(flavor = "multi_thread")]
async fn a_target_whose_clock_is_ahead_is_sent_codes_of_its_own_time() {
    let target = Target::ahead(&[], Duration::from_secs(100)).await;
    let results = target
        .run(Provisioner::SelfService, &["auth-only/token-create/totp/*", "auth-and-writes/publish/totp/*"])
        .await;
    assert_eq!((results.len(), wrong(&results)), (2, vec![]));
    let offset = target.offset_ms.get();
    assert!((99_000..=101_000).contains(&offset), "{offset}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_below_a_path_whose_relay_stamps_a_false_date_is_judged_right() {
    let mut target = Target::start(&[]).await;
    target.base = relay(&target, "/npm/", |_| Relayed::Stamped("Sun, 06 Nov 1994 08:49:37 GMT")).await;
    let results = target
        .run(Provisioner::SelfService, &["auth-only/token-create/totp/*", "auth-and-writes/deprecate/totp/*"])
        .await;
    assert_eq!((results.len(), wrong(&results)), (2, vec![]));
    assert_eq!(target.offset_ms.get(), 0, "codes of our own time were right");
}
