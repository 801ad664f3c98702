//! Each row of the tables is challenged in the modes that it names, and in no other.

use crate::support::deed::{BOTH_MODES, Deed, NEVER, WRITES_MODE};
use crate::support::{AUTH_ONLY, BOTH, WRITES, World};

/// Bare, wrong, right, replay: challenged, challenged, done, challenged; and nothing is done
/// before the right proof.
async fn is_challenged(deed: Deed, mode: &str) {
    let world = World::new().await;
    world.sign_up("friend").await;
    let mut user = world.sign_up("doer").await;
    let mut subjects = Vec::new();
    for nth in 0..4 {
        subjects.push(world.prepare(&user, deed, mode, nth).await);
    }
    world.enrol(&mut user, mode).await;
    let [bare, wrong, right, replay] = &subjects[..] else { unreachable!() };
    let refused = async |subject, proof: Option<&str>| {
        let reply = world.act(&user, deed, subject, proof).await;
        assert_eq!(reply.status, 401, "{deed:?} in {mode}: {}", reply.text);
        assert_eq!(reply.header("www-authenticate"), Some("OTP"));
        assert!(deed == Deed::WebLogIn || reply.is_challenge(), "{deed:?}");
        let done = world.is_done(&user, deed, subject, Some(&reply)).await;
        assert!(!done, "{deed:?} in {mode}");
    };
    refused(bare, None).await;
    refused(wrong, Some(&world.wrong_code(&user))).await;
    let code = world.code(&user);
    let reply = world.act(&user, deed, right, Some(&code)).await;
    assert!(reply.is_success(), "{deed:?} in {mode}: {}", reply.text);
    assert!(world.is_done(&user, deed, right, Some(&reply)).await, "{deed:?} in {mode}");
    if matches!(deed, Deed::Disable | Deed::SetPassword | Deed::ChangeMode | Deed::CreateToken) {
        // The account has changed: the subject of the replay is not a fresh one.
        let reply = world.log_in(&user.name, &user.password, Some(&code)).await;
        assert!(deed == Deed::Disable || !reply.is_success(), "{deed:?}");
    } else {
        refused(replay, Some(&code)).await;
    }
}

/// Without a proof it is simply done.
async fn is_not_challenged(deed: Deed, mode: Option<&str>) {
    let world = World::new().await;
    world.sign_up("friend").await;
    let mut user = world.sign_up("doer").await;
    let subject = world.prepare(&user, deed, mode.unwrap_or(WRITES), 0).await;
    if let Some(mode) = mode {
        world.enrol(&mut user, mode).await;
    }
    let reply = world.act(&user, deed, &subject, None).await;
    assert!(reply.is_success(), "{deed:?} in {mode:?}: {}", reply.text);
    assert!(world.is_done(&user, deed, &subject, Some(&reply)).await, "{deed:?} in {mode:?}");
}

#[tokio::test]
async fn account_actions_are_challenged_in_both_modes() {
    for deed in BOTH_MODES {
        for mode in BOTH {
            is_challenged(*deed, mode).await;
        }
    }
}

#[tokio::test]
async fn writes_are_challenged_in_auth_and_writes_mode_alone() {
    for deed in WRITES_MODE {
        is_challenged(*deed, WRITES).await;
        is_not_challenged(*deed, Some(AUTH_ONLY)).await;
    }
}

#[tokio::test]
async fn exempt_writes_are_never_challenged() {
    for deed in NEVER {
        for mode in BOTH {
            is_not_challenged(*deed, Some(mode)).await;
        }
    }
}

#[tokio::test]
async fn a_user_without_two_factor_authentication_is_never_challenged() {
    for deed in BOTH_MODES.iter().chain(WRITES_MODE).chain(NEVER) {
        if !matches!(deed, Deed::ChangeMode | Deed::Disable) {
            is_not_challenged(*deed, None).await;
        }
    }
}

#[tokio::test]
async fn reads_are_never_challenged() {
    let world = World::new().await;
    let mut user = world.sign_up("reader").await;
    world.published(&user, "@reader/p", "1.0.0").await;
    world.enrol(&mut user, WRITES).await;
    for path in [
        "/-/whoami",
        "/-/ping",
        "/-/npm/v1/user",
        "/-/npm/v1/tokens",
        "/-/npm/v1/hooks",
        "/-/v1/search?text=p",
        "/@reader%2fp",
        "/%40reader%2Fp",
        "/@reader/p",
        "/@reader/p/latest",
        "/@reader/p/-/p-1.0.0.tgz",
        "/@reader/p/-/@reader/p-1.0.0.tgz",
        "/-/package/@reader%2fp/dist-tags",
        "/-/package/@reader%2fp/access",
        "/-/package/@reader%2fp/visibility",
        "/-/package/@reader%2fp/collaborators",
        "/-/package/@reader%2fp/owners",
        "/-/user/reader/package",
        "/-/user/org.couchdb.user:reader",
        "/-/_view/starredByUser?key=%22reader%22",
        "/-/stage",
    ] {
        let reply = world.read(&user, path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
    }
}
