//! The probes of the faults of enrolling, disabling and changing the mode, of proofs that are written oddly, and of answers
//! that clients do not take.

use serde_json::{Value, json};
use stepup::registry::Mutant;

use crate::support::keys::{Authenticator, Forger};
use crate::support::{AUTH_ONLY, Reply, User, WRITES, World, code_at, seed_in, send};

use Mutant as M;

/// What a request to change 2FA says of the password.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Wrong,
    Nothing,
}

/// A change of 2FA with a wrong password or none, and perhaps a right code. Whether it was done.
async fn changes(world: &World, user: &User, said: Said, mode: &str, proven: bool) -> bool {
    let mut tfa = json!({ "mode": mode });
    if said == Said::Wrong {
        tfa["password"] = json!("another");
    }
    let code = proven.then(|| world.fresh_code(user));
    world.profile(user, json!({ "tfa": tfa }), code.as_deref()).await.is_success()
}

/// Which of the four such changes of a standing factor are done: with a wrong password, without one, each bare and proven.
async fn done(world: &World, mode: &str) -> Vec<(bool, bool)> {
    let mut done = Vec::new();
    for (said, proven) in [(Said::Wrong, false), (Said::Wrong, true), (Said::Nothing, false), (Said::Nothing, true)] {
        let name = format!("user{}", done.len());
        let user = world.enrolled(&name, WRITES).await;
        done.push((changes(world, &user, said, mode, proven).await, proven));
    }
    done
}

const WRONG_BARE: [bool; 4] = [true, false, false, false];
const WRONG_PROVEN: [bool; 4] = [false, true, false, false];
const MISSING_BARE: [bool; 4] = [false, false, true, false];

async fn only(world: &World, mode: &str, which: [bool; 4]) -> bool {
    done(world, mode).await.into_iter().map(|(done, _)| done).eq(which)
}

/// A user who has asked for codes and not confirmed them.
async fn half_enrolled(world: &World, name: &str) -> User {
    let mut user = world.sign_up(name).await;
    user.seed = seed_in(&world.begin_enrolment(&user, Some(AUTH_ONLY)).await);
    user
}

async fn confirm(world: &World, user: &User, code: &str) -> Reply {
    world.profile(user, json!({ "tfa": [code] }), None).await
}

/// Whether a code that was spent is accepted once more, written in this way.
async fn spent_passes(world: &World, written: impl Fn(&str) -> String) -> bool {
    let user = world.enrolled("alice", WRITES).await;
    let code = world.code(&user);
    let mut last = false;
    for proof in [code.clone(), written(&code)] {
        last = world.profile(&user, json!({ "fullname": "A" }), Some(&proof)).await.is_success();
    }
    last
}

/// The `tfa` of the answer to a change of the mode, as a client of this version gets it.
async fn changed(world: &World, version: &str) -> Value {
    let user = world.enrolled("alice", WRITES).await;
    let body = json!({ "tfa": { "password": user.password, "mode": AUTH_ONLY } });
    let request = world.request("POST", "/-/npm/v1/user").bearer_auth(&user.token).json(&body);
    let request =
        request.header("user-agent", format!("npm/{version} node/v20.19.0")).header("npm-otp", world.code(&user));
    send(request).await.json()["tfa"].clone()
}

/// A user with codes and a key, who removes the key with this body.
async fn removes(world: &World, body: Value) -> bool {
    let user = world.enrolled("alice", AUTH_ONLY).await;
    let begun = world.begin_key(&user, None, Some(&world.code(&user))).await;
    let mut key = Forger::new(1);
    let made = world.end_key(&user, &begun, &mut key as &mut dyn Authenticator).await;
    let path = format!("/-/account/keys/{}", made.json()["id"].as_str().unwrap());
    world.call(&user, "DELETE", &path, Some(body), Some(&world.fresh_code(&user))).await.is_success()
}

/// Whether a fault shows.
pub async fn shows(mutant: Mutant, world: &World) -> bool {
    match mutant {
        M::EnrolWithAnyPassword => {
            let user = world.sign_up("alice").await;
            !changes(world, &user, Said::Nothing, WRITES, false).await
                && changes(world, &user, Said::Wrong, WRITES, false).await
        }
        M::EnrolWithoutPassword => {
            let user = world.sign_up("alice").await;
            !changes(world, &user, Said::Wrong, WRITES, false).await
                && changes(world, &user, Said::Nothing, WRITES, false).await
        }
        M::AnyCodeConfirms => {
            let user = half_enrolled(world, "alice").await;
            let wrong = world.wrong_code(&user);
            confirm(world, &user, &wrong).await.is_success()
        }
        M::FarCodeConfirms => {
            let user = half_enrolled(world, "alice").await;
            confirm(world, &user, &code_at(&user.seed, world.now() / 30 - 10)).await.is_success()
        }
        M::AnybodysCodeConfirms => {
            let (user, other) = (half_enrolled(world, "alice").await, half_enrolled(world, "bob").await);
            confirm(world, &user, &world.code(&other)).await.is_success()
        }
        M::ConfirmedAgain => {
            let user = half_enrolled(world, "alice").await;
            let code = world.code(&user);
            assert!(confirm(world, &user, &code).await.is_success());
            confirm(world, &user, &code).await.is_success()
        }
        M::DisableWithoutPasswordUnchallenged => only(world, "disable", MISSING_BARE).await,
        M::DisableWithWrongPasswordUnchallenged => only(world, "disable", WRONG_BARE).await,
        M::DisableWithAnyPassword => only(world, "disable", WRONG_PROVEN).await,
        M::ModeChangeWithoutPasswordUnchallenged => only(world, AUTH_ONLY, MISSING_BARE).await,
        M::ModeChangeWithWrongPasswordUnchallenged => only(world, AUTH_ONLY, WRONG_BARE).await,
        M::ModeChangeWithAnyPassword => only(world, AUTH_ONLY, WRONG_PROVEN).await,
        M::KeyAddedPasswordMissing => {
            let user = world.sign_up("alice").await;
            world.call(&user, "POST", "/-/account/keys/options", Some(json!({})), None).await.is_success()
        }
        M::KeyRemovedWithAnyPassword => removes(world, json!({ "password": "another" })).await,
        M::KeyRemovedPasswordMissing => removes(world, json!({})).await,
        M::ZerosForKeyUser => {
            let user = world.key_holder("alice", &mut Forger::new(1), WRITES).await;
            world.profile(&user, json!({ "fullname": "A" }), Some("000000")).await.is_success()
        }
        M::ZerosAccepted => {
            let user = world.enrolled("alice", WRITES).await;
            world.profile(&user, json!({ "fullname": "A" }), Some("000000")).await.is_success()
        }
        M::RecoveryShapeAccepted => {
            let user = world.enrolled("alice", WRITES).await;
            let shaped = "0123456789abcdef".repeat(4);
            world.profile(&user, json!({ "fullname": "A" }), Some(&shaped)).await.is_success()
        }
        M::SpacedCodeReplayed => spent_passes(world, |code| format!("{} {}", &code[..3], &code[3..])).await,
        M::SignedCodeReplayed => spent_passes(world, |code| format!("+{code}")).await,
        M::WideCodeReplayed => {
            let wide = |c: char| char::from_u32(u32::from(c) - u32::from('0') + 0xff10).unwrap();
            spent_passes(world, |code| code.chars().map(wide).collect()).await
        }
        M::ReadsSpendCodes => {
            let user = world.enrolled("alice", WRITES).await;
            let code = world.code(&user);
            let read = world.call(&user, "GET", "/-/npm/v1/user", None, Some(&code)).await;
            assert!(read.is_success(), "{}", read.text);
            !world.profile(&user, json!({ "fullname": "A" }), Some(&code)).await.is_success()
        }
        M::CodesFromBeforeAccepted => {
            let user = world.enrolled("alice", WRITES).await;
            let old = code_at(&user.seed, world.now() / 30 - 10);
            world.profile(&user, json!({ "fullname": "A" }), Some(&old)).await.is_success()
        }
        M::PendingForAnHour => {
            let user = world.key_holder("alice", &mut Forger::new(1), WRITES).await;
            let door = world.open_door(&user).await;
            world.get(&door.done).await.header("retry-after") == Some("3600")
        }
        M::RecoveryCodesUntypable => {
            let user = world.enrolled("alice", WRITES).await;
            let letters = user.recovery[0].bytes().any(|byte| !byte.is_ascii_hexdigit());
            letters && world.profile(&user, json!({ "fullname": "A" }), Some(&user.recovery[0])).await.is_success()
        }
        M::WrongCodeForbidden => {
            let user = world.enrolled("alice", WRITES).await;
            let wrong = world.wrong_code(&user);
            world.profile(&user, json!({ "fullname": "A" }), Some(&wrong)).await.is_plain(403)
        }
        M::EnrolmentNoEffect => {
            let user = half_enrolled(world, "alice").await;
            assert!(confirm(world, &user, &world.code(&user)).await.is_success());
            world.profile(&user, json!({ "fullname": "A" }), None).await.is_success()
        }
        M::KeyEnrolmentNoEffect => {
            let user = world.key_holder("alice", &mut Forger::new(1), WRITES).await;
            world.profile(&user, json!({ "fullname": "A" }), None).await.is_success()
        }
        M::ModeChangeAnswersNull => changed(world, "11.4.0").await.is_null(),
        M::ModeChangeAnswersMode => changed(world, "11.3.0").await.is_object(),
        other => unreachable!("{other} shows at no account"),
    }
}
