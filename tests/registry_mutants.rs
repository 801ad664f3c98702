//! Every mutant differs from the correct registry in what it says it does.
//!
//! Each fault has a probe that sees it. The probe must see nothing in the correct registry.

#[path = "registry_support/key_faults.rs"]
mod key_faults;
mod registry_support;

use std::time::Duration;

use registry_support::deed::Deed;
use registry_support::{AUTH_ONLY, User, WRITES, World, code_at, seed_in};
use serde_json::json;
use stepup::registry::{Mutant, Mutants};

use Mutant as M;

/// Whether a deed is done for a user who sends no proof, or for one who sends a right one.
async fn done(world: &World, deed: Deed, mode: Option<&str>, proven: bool) -> (bool, bool) {
    let (answered, done, _) = attempt(world, deed, mode, proven).await;
    (answered, done)
}

async fn attempt(world: &World, deed: Deed, mode: Option<&str>, proven: bool) -> (bool, bool, User) {
    let mut user = world.sign_up("doer").await;
    let subject = world.prepare(&user, deed, mode.unwrap_or(WRITES), 0).await;
    let mut proof = None;
    if let Some(mode) = mode {
        world.enrol(&mut user, mode).await;
        proof = proven.then(|| world.code(&user));
    }
    let reply = world.act(&user, deed, &subject, proof.as_deref()).await;
    let done = world.is_done(&user, deed, &subject, Some(&reply)).await;
    (reply.is_success(), done, user)
}

async fn unchallenged(world: &World, deed: Deed) -> bool {
    done(world, deed, Some(WRITES), false).await == (true, true)
}

async fn early(world: &World, deed: Deed) -> bool {
    done(world, deed, Some(WRITES), false).await == (false, true)
}

async fn without_effect(world: &World, deed: Deed) -> bool {
    done(world, deed, Some(WRITES), true).await == (true, false)
}

/// The answer to an enrolled user who sends this proof with a change of his name.
async fn answer_to(world: &World, user: &User, proof: Option<&str>) -> registry_support::Reply {
    world.profile(user, json!({ "fullname": "A" }), proof).await
}

async fn challenge(world: &World) -> registry_support::Reply {
    let user = world.enrolled("alice", AUTH_ONLY).await;
    answer_to(world, &user, None).await
}

async fn accepts(world: &World, proofs: impl AsyncFn(&World, &User) -> Vec<String>) -> bool {
    let user = world.enrolled("alice", WRITES).await;
    world.pass(900);
    let mut last = false;
    for proof in proofs(world, &user).await {
        last = answer_to(world, &user, Some(&proof)).await.is_success();
    }
    last
}

/// A code that was spent on the profile, tried on a publication.
async fn accepts_elsewhere(world: &World) -> bool {
    let user = world.enrolled("alice", WRITES).await;
    let code = world.code(&user);
    assert!(answer_to(world, &user, Some(&code)).await.is_success());
    world.publish(&user, "p", "1.0.0", Some(&code)).await.is_success()
}

async fn new_token(world: &World, user: &User) -> reqwest::RequestBuilder {
    world.request("POST", "/-/npm/v1/tokens").bearer_auth(&user.token).json(&json!({ "password": user.password }))
}

/// Chooses the mode of a factor that stands, and gives the code that was spent on it.
async fn choose(world: &World, user: &User, mode: &str) -> String {
    let code = world.fresh_code(user);
    let body = json!({ "tfa": { "password": user.password, "mode": mode } });
    assert!(world.profile(user, body, Some(&code)).await.is_success());
    code
}

async fn disable(world: &World, user: &User) {
    choose(world, user, "disable").await;
}

/// Whether a fault shows.
async fn shows(mutant: Mutant, world: &World) -> bool {
    match mutant {
        M::LogInUnchallenged => unchallenged(world, Deed::LogIn).await,
        M::WebLogInUnchallenged => unchallenged(world, Deed::WebLogIn).await,
        M::ProfileUnchallenged => unchallenged(world, Deed::SetProfile).await,
        M::PasswordUnchallenged => unchallenged(world, Deed::SetPassword).await,
        M::ModeChangeUnchallenged => unchallenged(world, Deed::ChangeMode).await,
        M::DisableUnchallenged => unchallenged(world, Deed::Disable).await,
        M::TokenCreateUnchallenged => unchallenged(world, Deed::CreateToken).await,
        M::TokenRevokeUnchallenged => unchallenged(world, Deed::RevokeToken).await,
        M::PublishUnchallenged => unchallenged(world, Deed::Publish).await,
        M::UnpublishUnchallenged => unchallenged(world, Deed::UnpublishAll).await,
        M::DeprecateUnchallenged => unchallenged(world, Deed::Deprecate).await,
        M::VisibilityUnchallenged => unchallenged(world, Deed::Restrict).await,
        M::GrantUnchallenged => unchallenged(world, Deed::Grant).await,
        M::RevokeGrantUnchallenged => unchallenged(world, Deed::RevokeGrant).await,
        M::PackageTwoFactorUnchallenged => unchallenged(world, Deed::RequireTwoFactor).await,
        M::TarballDeleteUnchallenged => {
            let (_, _, user) = attempt(world, Deed::UnpublishVersion, Some(WRITES), true).await;
            let revision = world.revision(&user, "@doer-org0/p").await;
            let path = format!("/@doer-org0/p/-/p-1.0.0.tgz/-rev/{revision}");
            world.call(&user, "DELETE", &path, None, None).await.is_success()
        }
        M::AuthOnlyPublishChallenged => !done(world, Deed::Publish, Some(AUTH_ONLY), false).await.0,
        M::DisabledPublishChallenged => !done(world, Deed::Publish, None, false).await.0,
        M::WhoAmIChallenged => {
            let user = world.enrolled("alice", AUTH_ONLY).await;
            world.read(&user, "/-/whoami").await.is_challenge()
        }
        M::ChallengeForbidden => challenge(world).await.status == 403,
        M::ChallengeWithoutHeader => challenge(world).await.header("www-authenticate").is_none(),
        M::ChallengeHeaderParameter => {
            let reply = challenge(world).await;
            reply.header("www-authenticate").is_some_and(|header| header.starts_with("OTP "))
        }
        M::ChallengeTextInMessage => challenge(world).await.json()["message"].is_string(),
        M::ChallengeBasicHeader => challenge(world).await.header("www-authenticate") == Some("Basic"),
        M::PublishBeforeChallenge => {
            let (early, user) = early_publication(world).await;
            early && world.read(&user, "/@doer-org0/p/-/p-1.0.0.tgz").await.status == 200
        }
        M::PackumentBeforeChallenge => {
            let (early, user) = early_publication(world).await;
            early && world.read(&user, "/@doer-org0/p/-/p-1.0.0.tgz").await.status == 404
        }
        M::TokenCreateBeforeChallenge => early(world, Deed::CreateToken).await,
        M::PasswordBeforeChallenge => early(world, Deed::SetPassword).await,
        M::AnyProofAccepted => accepts(world, async |_, _| vec!["anything".to_owned()]).await,
        M::AnySixDigitsAccepted => accepts(world, async |world, user| vec![world.wrong_code(user)]).await,
        M::ReplayAccepted => accepts(world, async |world, user| vec![world.code(user); 2]).await,
        M::ReplayAcceptedElsewhere => accepts_elsewhere(world).await,
        M::RecoveryCodeReusable => accepts(world, async |_, user| vec![user.recovery[0].clone(); 2]).await,
        M::SpentTooLate => {
            let user = world.enrolled("alice", AUTH_ONLY).await;
            let code = world.code(&user);
            let copy = || answer_to(world, &user, Some(&code));
            let (first, second, third) = tokio::join!(copy(), copy(), copy());
            [first, second, third].iter().filter(|answer| answer.is_success()).count() > 1
        }
        M::OpenWhileVerifying => {
            let user = world.enrolled("alice", AUTH_ONLY).await;
            let code = world.code(&user);
            let (_, bare) = tokio::join!(answer_to(world, &user, Some(&code)), answer_to(world, &user, None));
            bare.is_success()
        }
        M::FormerSecretAccepted => {
            let mut user = world.enrolled("alice", AUTH_ONLY).await;
            let former = user.seed.clone();
            let off = json!({ "tfa": { "password": user.password, "mode": "disable" } });
            assert!(world.profile(&user, off, Some(&world.code(&user))).await.is_success());
            user.seed = seed_in(&world.begin_enrolment(&user, Some(AUTH_ONLY)).await);
            let confirm = json!({ "tfa": [world.code(&user)] });
            assert!(world.profile(&user, confirm, None).await.is_success());
            let code = code_at(&former, world.now() / 30 + 1);
            answer_to(world, &user, Some(&code)).await.is_success()
        }
        M::WideWindow => {
            let early = async |world: &World, user: &User| vec![code_at(&user.seed, world.now() / 30 - 10)];
            accepts(world, early).await
        }
        M::RightProofRefused => !accepts(world, async |world, user| vec![world.code(user)]).await,
        M::PublishNoEffect => without_effect(world, Deed::Publish).await,
        M::DeprecateNoEffect => without_effect(world, Deed::Deprecate).await,
        M::ProfileNoEffect => without_effect(world, Deed::SetProfile).await,
        M::ModeChangeNoEffect => without_effect(world, Deed::ChangeMode).await,
        M::LogInTokenDead => {
            let user = world.sign_up("alice").await;
            world.read(&user, "/-/whoami").await.status == 401
        }
        M::DefaultModeAuthOnly => {
            let mut user = world.sign_up("alice").await;
            user.seed = seed_in(&world.begin_enrolment(&user, None).await);
            let confirm = json!({ "tfa": [world.code(&user)] });
            assert!(world.profile(&user, confirm, None).await.is_success());
            let profile = world.read(&user, "/-/npm/v1/user").await.json();
            profile["tfa"]["mode"] == AUTH_ONLY
        }
        M::OldPasswordWorks => {
            let user = world.sign_up("alice").await;
            let body = json!({ "password": { "old": user.password, "new": "n" } });
            assert!(world.profile(&user, body, None).await.is_success());
            world.log_in("alice", &user.password, None).await.is_success()
        }
        M::ThrottledAtOnce => {
            let user = world.enrolled("alice", AUTH_ONLY).await;
            let wrong = world.wrong_code(&user);
            answer_to(world, &user, Some(&wrong)).await.status == 429
        }
        M::TokenCreateHangs => {
            let user = world.sign_up("alice").await;
            let request = new_token(world, &user).await.timeout(Duration::from_millis(200));
            request.send().await.is_err_and(|error| error.is_timeout())
        }
        M::HalfJson => {
            let user = world.sign_up("alice").await;
            let reply = registry_support::send(new_token(world, &user).await).await;
            reply.is_success() && serde_json::from_str::<serde_json::Value>(&reply.text).is_err()
        }
        M::FactorForgottenAfterReenable => {
            let mut user = world.enrolled("alice", WRITES).await;
            disable(world, &user).await;
            world.enrol(&mut user, AUTH_ONLY).await;
            choose(world, &user, WRITES).await;
            world.publish(&user, "p", "1.0.0", None).await.is_success()
        }
        M::ModeLostAfterPasswordChange => {
            let user = world.enrolled("alice", WRITES).await;
            let body = json!({ "password": { "old": user.password, "new": "n" } });
            assert!(world.profile(&user, body, Some(&world.code(&user))).await.is_success());
            world.publish(&user, "p", "1.0.0", None).await.is_success()
        }
        M::SpentForgottenAfterModeChange => {
            let user = world.enrolled("alice", WRITES).await;
            let code = choose(world, &user, AUTH_ONLY).await;
            answer_to(world, &user, Some(&code)).await.is_success()
        }
        M::FormerRecoveryCodesAccepted => {
            let mut user = world.enrolled("alice", WRITES).await;
            let former = user.recovery.clone();
            disable(world, &user).await;
            world.enrol(&mut user, WRITES).await;
            answer_to(world, &user, Some(&former[0])).await.is_success()
        }
        M::UnchallengedAfterRightProof => {
            let user = world.enrolled("alice", WRITES).await;
            assert!(answer_to(world, &user, Some(&world.code(&user))).await.is_success());
            answer_to(world, &user, None).await.is_success()
        }
        M::SecondUserWeakensFirst => {
            let user = world.enrolled("alice", WRITES).await;
            world.enrolled("bob", AUTH_ONLY).await;
            world.publish(&user, "p", "1.0.0", None).await.is_success()
        }
        M::CodesAddedUnchallenged
        | M::KeyAddedUnchallenged
        | M::KeyRemovedUnchallenged
        | M::KeyAddedWithoutPassword
        | M::KeyUsersUnchallenged
        | M::AnyCodeForKeyUser
        | M::RecoveryCodeRefusedForKeyUser
        | M::KeyReplacesCodes
        | M::CodesReplaceKeys
        | M::LastKeyRemovable
        | M::StaleRegistrationAccepted
        | M::PendingCodesOutliveFirstKey
        | M::TicketIsPage
        | M::KeyEnrolmentWeakensMode
        | M::WebChallengeWithoutHeader
        | M::WebChallengeWithoutDoneUrl
        | M::WebChallengeRelativeUrls
        | M::ClassicChallengeToKeyUser
        | M::KeyOfferedToCodeUser
        | M::AssertionReplayed
        | M::EarlierChallengeAccepted
        | M::ChallengeOutlivesAttempt
        | M::ChallengeOfAnotherSessionAccepted
        | M::WrongOriginAccepted
        | M::CrossOriginAccepted
        | M::WrongRpIdAccepted
        | M::UserPresenceIgnored
        | M::UserVerificationIgnored
        | M::SignatureIgnored
        | M::CounterIgnored
        | M::UserHandleIgnored
        | M::CredentialOfAnotherUserAccepted
        | M::RemovedKeyAccepted
        | M::CeremonyTypeIgnored
        | M::RightAssertionRefused
        | M::DoneBeforeAssertion
        | M::DoneForAnotherUser
        | M::DoneNotAnonymous
        | M::DoneForGetOnly
        | M::DoneTwice
        | M::DoneAfterExpiry
        | M::PollsAtOnce
        | M::PendingWithoutRetryAfter
        | M::WebTokenReusable
        | M::WebTokenForAnotherAction
        | M::WebTokenAfterExpiry
        | M::WebTokenOfAnotherUser
        | M::WebLogInTokenBeforeFactor => key_faults::shows(mutant, world).await,
    }
}

async fn early_publication(world: &World) -> (bool, User) {
    let (answered, done, user) = attempt(world, Deed::Publish, Some(WRITES), false).await;
    (!answered && done, user)
}

#[tokio::test]
async fn each_fault_shows_when_it_is_switched_on_and_only_then() {
    for mutant in Mutant::ALL {
        assert!(!shows(*mutant, &World::new().await).await, "{mutant} in the correct registry");
        assert!(shows(*mutant, &World::broken(*mutant).await).await, "{mutant}");
    }
}

#[tokio::test]
async fn a_challenge_of_a_mutant_keeps_the_effect_back() {
    for mutant in Mutant::ALL.iter().filter(|mutant| mutant.name().starts_with("challenge-")) {
        let world = World::broken(Mutants::from(*mutant)).await;
        assert!(!done(&world, Deed::SetProfile, Some(AUTH_ONLY), false).await.1, "{mutant}");
    }
}
