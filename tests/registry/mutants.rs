//! Every mutant differs from the correct registry in what it says it does.
//!
//! Each fault has a probe that sees it. The probe must see nothing in the correct registry.

use std::time::Duration;

use serde_json::json;
use stepup::registry::{Mutant, Mutants};

use Mutant as M;

use crate::door_faults;
use crate::key_faults;
use crate::support::deed::Deed;
use crate::support::{self, AUTH_ONLY, User, WRITES, World, code_at, seed_in};

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

/// Whether a deed is not done without a proof in a mode that asks for none.
async fn asks(world: &World, deed: Deed, mode: Option<&str>) -> bool {
    !done(world, deed, mode, false).await.0
}

async fn early(world: &World, deed: Deed) -> bool {
    done(world, deed, Some(WRITES), false).await == (false, true)
}

async fn without_effect(world: &World, deed: Deed) -> bool {
    done(world, deed, Some(WRITES), true).await == (true, false)
}

/// The answer to the second write of an unpublish, without a proof.
async fn tarball_removal(world: &World, user: &User) -> support::Reply {
    let revision = world.revision(user, "@doer-org0/p").await;
    let path = format!("/@doer-org0/p/-/p-1.0.0.tgz/-rev/{revision}");
    world.call(user, "DELETE", &path, None, None).await
}

/// The answer to an enrolled user who sends this proof with a change of his name.
async fn answer_to(world: &World, user: &User, proof: Option<&str>) -> support::Reply {
    world.profile(user, json!({ "fullname": "A" }), proof).await
}

async fn challenge(world: &World) -> support::Reply {
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
            tarball_removal(world, &user).await.is_success()
        }
        M::AuthOnlyPublishChallenged => asks(world, Deed::Publish, Some(AUTH_ONLY)).await,
        M::DisabledPublishChallenged => asks(world, Deed::Publish, None).await,
        M::AuthOnlyUnpublishChallenged => asks(world, Deed::UnpublishAll, Some(AUTH_ONLY)).await,
        M::AuthOnlyDeprecateChallenged => asks(world, Deed::Deprecate, Some(AUTH_ONLY)).await,
        M::AuthOnlyVisibilityChallenged => asks(world, Deed::Restrict, Some(AUTH_ONLY)).await,
        M::AuthOnlyGrantsChallenged => asks(world, Deed::Grant, Some(AUTH_ONLY)).await,
        M::AuthOnlyPackageTwoFactorChallenged => asks(world, Deed::RequireTwoFactor, Some(AUTH_ONLY)).await,
        M::DisabledWritesChallenged => asks(world, Deed::Restrict, None).await,
        M::DisabledRevocationChallenged => asks(world, Deed::RevokeGrant, None).await,
        M::DisabledPublicChallenged => {
            let (_, _, user) = attempt(world, Deed::Restrict, None, false).await;
            let public = json!({ "access": "public" });
            world.call(&user, "POST", "/-/package/@doer-org0%2fp/access", Some(public), None).await.is_challenge()
        }
        M::DisabledTarballChallenged => {
            let (_, _, user) = attempt(world, Deed::UnpublishVersion, None, false).await;
            tarball_removal(world, &user).await.is_challenge()
        }
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
        M::ScopedPublishUnchallenged => {
            let scoped = unchallenged(world, Deed::Publish).await;
            let user = world.enrolled("alice", WRITES).await;
            scoped && !world.publish(&user, "p", "1.0.0", None).await.is_success()
        }
        M::LaterVersionUnchallenged => {
            let mut user = world.sign_up("alice").await;
            world.publish(&user, "p", "1.0.0", None).await;
            world.enrol(&mut user, WRITES).await;
            let first = world.publish(&user, "q", "1.0.0", None).await.is_success();
            !first && world.publish(&user, "p", "1.0.1", None).await.is_success()
        }
        M::EmptyProofPublishes => {
            let user = world.enrolled("alice", WRITES).await;
            let bare = world.publish(&user, "p", "1.0.0", None).await.is_success();
            !bare && world.publish(&user, "p", "1.0.0", Some("")).await.is_success()
        }
        M::WebClientUnchallenged => {
            let user = world.enrolled("alice", AUTH_ONLY).await;
            let request = new_token(world, &user).await.header("npm-auth-type", "web");
            support::send(request).await.is_success()
        }
        M::PublishAfterChallenge => {
            let (early, user) = early_publication(world).await;
            let code = world.code(&user);
            world.publish(&user, "p", "1.0.0", Some(&code)).await;
            !early && world.read(&user, "/@doer-org0/p/-/p-1.0.0.tgz").await.status == 200
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
        M::WideWindowOnWrites => {
            let user = world.enrolled("alice", WRITES).await;
            let early = code_at(&user.seed, world.now() / 30 + 10);
            let elsewhere = answer_to(world, &user, Some(&early)).await.is_success();
            !elsewhere && world.publish(&user, "p", "1.0.0", Some(&early)).await.is_success()
        }
        M::WideWindowAtLogIn => {
            let user = world.enrolled("alice", AUTH_ONLY).await;
            let early = code_at(&user.seed, world.now() / 30 + 10);
            let elsewhere = answer_to(world, &user, Some(&early)).await.is_success();
            !elsewhere && world.log_in("alice", &user.password, Some(&early)).await.is_success()
        }
        M::LogInRecoveryCodeReusable => {
            let user = world.enrolled("alice", AUTH_ONLY).await;
            let code = Some(user.recovery[0].as_str());
            world.log_in("alice", &user.password, code).await.is_success()
                && world.log_in("alice", &user.password, code).await.is_success()
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
            let reply = support::send(new_token(world, &user).await).await;
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
        | M::KeyEnrolmentWeakensMode
        | M::WebChallengeWithoutHeader
        | M::WebChallengeWithoutDoneUrl
        | M::WebChallengeRelativeUrls
        | M::ClassicChallengeToKeyUser
        | M::KeyOfferedToCodeUser
        | M::AssertionReplayed
        | M::EarlierChallengeAccepted
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
        | M::RegistrationTypeIgnored
        | M::RegistrationChallengeIgnored
        | M::RegistrationOriginIgnored
        | M::RegistrationCrossOriginIgnored
        | M::RegistrationRpIdIgnored
        | M::RegistrationPresenceIgnored
        | M::RegistrationVerificationIgnored
        | M::RefusedRegistrationKept
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
        | M::LogInDoneTwice
        | M::LogInDoneAfterExpiry
        | M::WebLogInTokenBeforeFactor => key_faults::shows(mutant, world).await,
        M::ExpiredByOneRefused => {
            !accepts(world, async |world, user| vec![code_at(&user.seed, world.now() / 30 - 1)]).await
        }
        M::LeadingZeroDropped => {
            let number = async |world: &World, user: &User| {
                while !world.code(user).starts_with('0') {
                    world.pass(30);
                }
                vec![world.code(user).trim_start_matches('0').to_owned()]
            };
            accepts(world, number).await
        }
        M::PendingEnrolmentEnforced => {
            let user = world.sign_up("alice").await;
            world.begin_enrolment(&user, Some(AUTH_ONLY)).await;
            answer_to(world, &user, None).await.is_challenge()
        }
        M::PendingEnrolmentWeakens => {
            let (user, _) = beside_standing(world).await;
            answer_to(world, &user, None).await.is_success()
        }
        M::PendingSecretAccepted => {
            let (user, seed) = beside_standing(world).await;
            let code = seed.map(|seed| code_at(&seed, world.now() / 30));
            code.is_some() && answer_to(world, &user, code.as_deref()).await.is_success()
        }
        M::SecretShownAgain => {
            let user = world.enrolled("alice", AUTH_ONLY).await;
            let profile = world.read(&user, "/-/npm/v1/user").await;
            profile.text.contains(&data_encoding::BASE32_NOPAD.encode(&user.seed))
        }
        M::RecoveryCodesShownAgain => {
            let user = world.enrolled("alice", AUTH_ONLY).await;
            world.read(&user, "/-/npm/v1/user").await.text.contains(&user.recovery[0])
        }
        M::WrongCodesNeverThrottled => {
            let user = world.enrolled("alice", AUTH_ONLY).await;
            after_many_wrong_codes(world, &user).await.is_success()
        }
        M::LockOutOnlySaid => {
            let user = world.enrolled("alice", AUTH_ONLY).await;
            for _ in 0..20 {
                answer_to(world, &user, Some(&world.wrong_code(&user))).await;
            }
            let said = answer_to(world, &user, Some(&world.wrong_code(&user))).await.status == 429;
            said && answer_to(world, &user, Some(&world.code(&user))).await.is_success()
        }
        M::StrangerLocksOut => {
            let user = world.enrolled("alice", AUTH_ONLY).await;
            for _ in 0..20 {
                world.log_in("alice", "not it", Some(&world.wrong_code(&user))).await;
            }
            answer_to(world, &user, Some(&world.code(&user))).await.status == 429
        }
        M::LockOutLooksLikeWrongCode => {
            let user = world.enrolled("alice", AUTH_ONLY).await;
            after_many_wrong_codes(world, &user).await.is_challenge()
        }
        M::QueryStringCodeAccepted => {
            let user = world.enrolled("alice", AUTH_ONLY).await;
            let path = format!("/-/npm/v1/user?otp={}", world.code(&user));
            world.call(&user, "POST", &path, Some(json!({ "fullname": "A" })), None).await.is_success()
        }
        M::OtherHeaderCodeAccepted => {
            let user = world.enrolled("alice", AUTH_ONLY).await;
            let request = world.request("POST", "/-/npm/v1/user").bearer_auth(&user.token);
            let request = request.header("x-otp", world.code(&user)).json(&json!({ "fullname": "A" }));
            support::send(request).await.is_success()
        }
        M::AutomationTokenGoverns => {
            let robot = with_token(world, json!({ "automation": true }), AUTH_ONLY).await;
            world.publish(&robot, "p", "1.0.0", None).await;
            let body = json!({ "publish_requires_tfa": true });
            world.call(&robot, "POST", "/-/package/p/access", Some(body), None).await.is_success()
        }
        M::AutomationTokenChallenged => {
            let robot = with_token(world, json!({ "automation": true }), WRITES).await;
            world.publish(&robot, "p", "1.0.0", None).await.is_challenge()
        }
        M::AutomationTokenChangesAccount => {
            let robot = with_token(world, json!({ "bypass_2fa": true }), WRITES).await;
            answer_to(world, &robot, None).await.is_success()
        }
        M::ReadOnlyTokenWrites => {
            let reader = with_token(world, json!({ "readonly": true }), AUTH_ONLY).await;
            world.publish(&reader, "p", "1.0.0", None).await.is_success()
        }
        M::RevokedTokenWorks => {
            let user = world.sign_up("alice").await;
            let made = support::send(new_token(world, &user).await).await.json();
            let path = format!("/-/npm/v1/tokens/token/{}", made["key"].as_str().unwrap());
            assert!(world.call(&user, "DELETE", &path, None, None).await.is_success());
            let token = made["token"].as_str().unwrap().to_owned();
            world.read(&User { token, ..user }, "/-/whoami").await.is_success()
        }
        M::TokenCreateWithoutPassword => {
            let user = world.sign_up("alice").await;
            world.call(&user, "POST", "/-/npm/v1/tokens", Some(json!({})), None).await.is_success()
        }
        M::TokenCreateWithAnyPassword => {
            let user = world.sign_up("alice").await;
            let body = json!({ "password": "any" });
            world.call(&user, "POST", "/-/npm/v1/tokens", Some(body), None).await.is_success()
        }
        M::ReadOnlyTokenCreatesReadWrite => {
            let reader = with_token(world, json!({ "readonly": true }), WRITES).await;
            let body = json!({ "password": reader.password });
            let code = world.fresh_code(&reader);
            world.call(&reader, "POST", "/-/npm/v1/tokens", Some(body), Some(&code)).await.is_success()
        }
        M::TokenAddressIgnored => {
            let elsewhere = with_token(world, json!({ "cidr_whitelist": ["192.0.2.0/24"] }), AUTH_ONLY).await;
            world.read(&elsewhere, "/-/whoami").await.is_success()
        }
        M::PackageRequirementIgnored => {
            let (user, _) = requiring(world, json!({}), None).await;
            world.publish(&user, "p", "2.0.0", None).await.is_success()
        }
        M::PackageRequirementLetsAutomationThrough => {
            let (_, robot) = requiring(world, json!({}), Some(AUTH_ONLY)).await;
            world.publish(&robot, "p", "2.0.0", None).await.is_success()
        }
        M::PackageRequirementStopsAutomation => {
            let rule = json!({ "automation_token_overrides_tfa": true });
            let (_, robot) = requiring(world, rule, Some(AUTH_ONLY)).await;
            !world.publish(&robot, "p", "2.0.0", None).await.is_success()
        }
        M::PackageRequirementAuthOnlyUnchallenged => {
            let (user, _) = requiring(world, json!({}), Some(AUTH_ONLY)).await;
            world.publish(&user, "p", "2.0.0", None).await.is_success()
        }
        M::PackageRequirementNotLifted => {
            let (user, _) = requiring(world, json!({}), None).await;
            let lifted = json!({ "publish_requires_tfa": false });
            let path = "/-/package/p/access";
            assert!(world.call(&user, "POST", path, Some(lifted), None).await.is_success());
            !world.publish(&user, "p", "2.0.0", None).await.is_success()
        }
        M::RefusalHalfWritten => {
            let (user, _) = requiring(world, json!({}), None).await;
            assert_eq!(world.publish(&user, "p", "2.0.0", None).await.status, 403);
            world.packument(&user, "p").await["versions"]["2.0.0"].is_object()
        }
        M::LaterVersionHalfWritten => {
            let user = world.sign_up("alice").await;
            world.published(&user, "p", "1.0.0").await;
            world.published(&user, "p", "2.0.0").await;
            world.read(&user, "/p/-/p-2.0.0.tgz").await.status == 404
        }
        M::ModeChangeOpensWrites => {
            let user = world.enrolled("alice", WRITES).await;
            let change = json!({ "tfa": { "password": user.password, "mode": AUTH_ONLY } });
            let (refused, bare) =
                tokio::join!(world.profile(&user, change, None), world.publish(&user, "p", "1.0.0", None));
            refused.is_challenge() && bare.is_success()
        }
        other => door_faults::shows(other, world).await,
    }
}

/// A user with a factor who asks for the mode that is on already, and the secret that was handed out, if one was.
async fn beside_standing(world: &World) -> (User, Option<Vec<u8>>) {
    let user = world.enrolled("alice", AUTH_ONLY).await;
    let body = json!({ "tfa": { "password": user.password, "mode": AUTH_ONLY } });
    let reply = world.profile(&user, body, Some(&world.code(&user))).await;
    assert!(reply.is_success());
    let seed = reply.json()["tfa"].is_string().then(|| seed_in(&reply));
    world.pass(30);
    (user, seed)
}

/// The answer to a right code after twenty wrong ones.
async fn after_many_wrong_codes(world: &World, user: &User) -> support::Reply {
    for _ in 0..20 {
        let wrong = world.wrong_code(user);
        assert!(!answer_to(world, user, Some(&wrong)).await.is_success());
    }
    answer_to(world, user, Some(&world.code(user))).await
}

/// An enrolled user who goes on with a token of a kind.
async fn with_token(world: &World, kind: serde_json::Value, mode: &str) -> User {
    let mut user = world.sign_up("alice").await;
    user.token = token_of(world, &user, kind).await;
    let session = world.log_in("alice", &user.password, None).await.json();
    let mut owner = User { token: session["token"].as_str().unwrap().to_owned(), ..user.clone() };
    world.enrol(&mut owner, mode).await;
    User { token: user.token, ..owner }
}

async fn token_of(world: &World, user: &User, mut body: serde_json::Value) -> String {
    body["password"] = json!(user.password);
    let made = world.call(user, "POST", "/-/npm/v1/tokens", Some(body), None).await;
    assert!(made.is_success(), "{}", made.text);
    made.json()["token"].as_str().unwrap().to_owned()
}

/// A user with a package that requires 2FA, and the same with an automation token.
async fn requiring(world: &World, mut rule: serde_json::Value, mode: Option<&str>) -> (User, User) {
    let mut user = world.sign_up("alice").await;
    world.published(&user, "p", "1.0.0").await;
    rule["publish_requires_tfa"] = json!(true);
    assert!(world.call(&user, "POST", "/-/package/p/access", Some(rule), None).await.is_success());
    let token = token_of(world, &user, json!({ "automation": true })).await;
    if let Some(mode) = mode {
        world.enrol(&mut user, mode).await;
    }
    (user.clone(), User { token, ..user })
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
