//! The probes of the faults that show at one door: where codes are verified, where reads and writes ask too much.

use serde_json::json;
use stepup::registry::Mutant;

use crate::form_faults;
use crate::support::keys::{Authenticator, Forger, Lie};
use crate::support::{AUTH_ONLY, Reply, User, WRITES, World, code_at, send};

use Mutant as M;

/// Where a code is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Door {
    Tokens,
    Profile,
    Publish,
}

const DOORS: [Door; 3] = [Door::Tokens, Door::Profile, Door::Publish];

async fn at(world: &World, user: &User, door: Door, proof: &str) -> Reply {
    match door {
        Door::Tokens => {
            let body = json!({ "password": user.password, "readonly": false });
            world.call(user, "POST", "/-/npm/v1/tokens", Some(body), Some(proof)).await
        }
        Door::Profile => world.profile(user, json!({ "fullname": "A" }), Some(proof)).await,
        Door::Publish => world.publish(user, &format!("p{}", world.now()), "1.0.0", Some(proof)).await,
    }
}

/// The doors that a proof opens, each on a registry of its own state: every one is tried with a fresh user.
async fn opened(world: &World, doors: &[Door], proof: impl AsyncFn(&World, &mut User) -> String) -> Vec<Door> {
    let mut open = Vec::new();
    for (number, door) in doors.iter().enumerate() {
        let mut user = world.enrolled(&format!("user{number}"), WRITES).await;
        world.pass(120);
        let proof = proof(world, &mut user).await;
        if at(world, &user, *door, &proof).await.is_success() {
            open.push(*door);
        }
        world.pass(120);
    }
    open
}

async fn step_away(world: &World, doors: &[Door], steps: i64) -> Vec<Door> {
    opened(world, doors, async |world: &World, user: &mut User| {
        code_at(&user.seed, (world.now() / 30).checked_add_signed(steps).unwrap())
    })
    .await
}

async fn anybodys(world: &World) -> Vec<Door> {
    let other = world.enrolled("other", WRITES).await;
    opened(world, &DOORS, async |world: &World, _: &mut User| world.code(&other)).await
}

async fn former(world: &World) -> Vec<Door> {
    opened(world, &DOORS, async |world: &World, user: &mut User| {
        let former = user.seed.clone();
        let off = json!({ "tfa": { "password": user.password, "mode": "disable" } });
        assert!(world.profile(user, off, Some(&world.code(user))).await.is_success());
        world.enrol(user, WRITES).await;
        code_at(&former, world.now() / 30)
    })
    .await
}

/// Whether copies of a proof that are sent at once pass more than once.
async fn copies_pass(world: &World, door: Door, proof: impl Fn(&World, &User) -> String) -> bool {
    let user = world.enrolled("alice", WRITES).await;
    let proof = proof(world, &user);
    let copy = |name: &'static str| {
        let (user, proof) = (&user, &proof);
        async move {
            match door {
                Door::Publish => world.publish(user, name, "1.0.0", Some(proof)).await,
                Door::Tokens | Door::Profile => at(world, user, door, proof).await,
            }
        }
    };
    let (first, second, third) = tokio::join!(copy("one"), copy("two"), copy("three"));
    [first, second, third].iter().filter(|answer| answer.is_success()).count() > 1
}

/// Whether a code that was spent on a door passes at another, or the same again later.
async fn spent_passes(world: &World, first: Door, second: Door, later: u64) -> bool {
    let user = world.enrolled("alice", WRITES).await;
    let code = world.code(&user);
    assert!(at(world, &user, first, &code).await.is_success());
    world.pass(later);
    at(world, &user, second, &code).await.is_success()
}

/// Whether the twenty-first wrong code is still listened to.
async fn listens_on(world: &World, log_in: bool) -> bool {
    let user = world.enrolled("alice", AUTH_ONLY).await;
    let mut last = None;
    for _ in 0..21 {
        let wrong = world.wrong_code(&user);
        last = Some(match log_in {
            true => world.log_in("alice", &user.password, Some(&wrong)).await,
            false => at(world, &user, Door::Profile, &wrong).await,
        });
    }
    last.is_some_and(|reply| reply.status != 429)
}

/// What a user with a token of a kind, and a code, may do to the account and to a package.
async fn with_token(world: &World, kind: serde_json::Value, door: Door) -> bool {
    let mut user = world.sign_up("alice").await;
    let session = user.token.clone();
    let mut body = kind;
    body["password"] = json!(user.password);
    let made = world.call(&user, "POST", "/-/npm/v1/tokens", Some(body), None).await.json();
    world.enrol(&mut user, WRITES).await;
    assert_eq!(user.token, session);
    let token = made["token"].as_str().unwrap().to_owned();
    let limited = User { token, ..user.clone() };
    // Without a code it may not, so that only the code can be what opens the door.
    assert!(match door {
        Door::Publish => !world.publish(&limited, "p", "1.0.0", None).await.is_success(),
        Door::Tokens | Door::Profile => !world.profile(&limited, json!({ "fullname": "A" }), None).await.is_success(),
    });
    at(world, &limited, door, &world.code(&user)).await.is_success()
}

/// Whether a revoked automation token still publishes, and a revoked plain one does.
async fn revoked_works(world: &World, body: serde_json::Value) -> bool {
    let user = world.sign_up("alice").await;
    let mut body = body;
    body["password"] = json!(user.password);
    let made = world.call(&user, "POST", "/-/npm/v1/tokens", Some(body), None).await.json();
    let path = format!("/-/npm/v1/tokens/token/{}", made["key"].as_str().unwrap());
    assert!(world.call(&user, "DELETE", &path, None, None).await.is_success());
    let token = made["token"].as_str().unwrap().to_owned();
    world.read(&User { token, ..user }, "/-/whoami").await.is_success()
}

/// A challenge that nobody gave out.
fn of_no_challenge() -> Lie {
    Lie::Challenge("BwcHBwcHBwc".to_owned())
}

/// Whether the web login takes an assertion that lies.
async fn log_in_believes(world: &World, lie: Lie) -> bool {
    let mut key = Forger::new(1);
    let user = world.key_holder("alice", &mut key, WRITES).await;
    let start = send(world.request("POST", "/-/v1/login").json(&json!({}))).await.json();
    let page = start["loginUrl"].as_str().unwrap().strip_prefix(&world.base).unwrap().to_owned();
    let form = format!("username={}&password={}", user.name, user.password.replace(' ', "+"));
    send(world.request("POST", &page).body(form)).await;
    let own = world.options(&page).await;
    let credential = key.lying(lie).assert(&world.origin(), &own);
    world.post(&format!("{page}/assertion"), &credential).await.is_success()
}

/// Whether a read asks a user without a second factor for one, and lets him through who sends any.
async fn read_asks(world: &World, path: &str) -> bool {
    let user = world.sign_up("alice").await;
    world.published(&user, "@alice/p", "1.0.0").await;
    let body = json!({ "name": "devs" });
    assert!(world.call(&user, "PUT", "/-/org/alice/team", Some(body), None).await.is_success());
    let bare = world.read(&user, path).await;
    let proven = world.call(&user, "GET", path, None, Some("123456")).await;
    assert!(proven.is_success(), "{path}: {}", proven.text);
    bare.is_challenge()
}

/// Whether a fault shows.
pub async fn shows(mutant: Mutant, world: &World) -> bool {
    const BUT_WRITES: [Door; 2] = [Door::Tokens, Door::Profile];
    match mutant {
        M::OldCodeMakesTokens => step_away(world, &DOORS, -2).await == [Door::Tokens],
        M::OldCodeChangesAccount => step_away(world, &DOORS, -2).await == [Door::Profile],
        M::OldCodeWrites => step_away(world, &DOORS, -2).await == [Door::Publish],
        M::EarlyCodeMakesTokens => step_away(world, &DOORS, 2).await == [Door::Tokens],
        M::EarlyCodeChangesAccount => step_away(world, &DOORS, 2).await == [Door::Profile],
        M::EarlyCodeWrites => step_away(world, &DOORS, 2).await == [Door::Publish],
        M::AnybodysCodeMakesTokens => anybodys(world).await == [Door::Tokens],
        M::AnybodysCodeChangesAccount => anybodys(world).await == [Door::Profile],
        M::AnybodysCodeWrites => anybodys(world).await == [Door::Publish],
        M::FormerSecretMakesTokens => former(world).await == [Door::Tokens],
        M::FormerSecretChangesAccount => former(world).await == [Door::Profile],
        M::FormerSecretWrites => former(world).await == [Door::Publish],
        M::LettersAccepted => opened(world, &DOORS, async |_, _| "abcdef".to_owned()).await == BUT_WRITES,
        M::LongCodeAccepted => {
            let long = async |world: &World, user: &mut User| format!("{}0", world.code(user));
            opened(world, &DOORS, long).await == BUT_WRITES
        }
        M::ShortCodeAccepted => {
            let short = async |world: &World, user: &mut User| world.code(user)[..5].to_owned();
            opened(world, &DOORS, short).await == BUT_WRITES
        }
        M::EmptyProofMakesTokens => opened(world, &DOORS, async |_, _| String::new()).await == [Door::Tokens],
        M::LastRecoveryCodeNotKept => {
            let user = world.enrolled("alice", WRITES).await;
            assert!(at(world, &user, Door::Profile, &user.recovery[3]).await.is_success());
            !at(world, &user, Door::Profile, &user.recovery[4]).await.is_success()
        }
        M::ReplayAcceptedOnWrites => spent_passes(world, Door::Tokens, Door::Publish, 0).await,
        M::ReplayAcceptedForProfile => spent_passes(world, Door::Tokens, Door::Profile, 0).await,
        M::SpentForgottenInNextStep => {
            !spent_passes(world, Door::Tokens, Door::Tokens, 0).await && {
                let user = world.enrolled("bob", WRITES).await;
                let code = world.code(&user);
                assert!(at(world, &user, Door::Tokens, &code).await.is_success());
                world.pass(30);
                at(world, &user, Door::Tokens, &code).await.is_success()
            }
        }
        M::WrongCodeForgetsSpent => {
            let user = world.enrolled("alice", WRITES).await;
            let code = world.code(&user);
            assert!(at(world, &user, Door::Tokens, &code).await.is_success());
            assert!(!at(world, &user, Door::Tokens, &world.wrong_code(&user)).await.is_success());
            at(world, &user, Door::Tokens, &code).await.is_success()
        }
        M::EnrolmentCodeNotSpent => {
            let user = world.enrolled("alice", WRITES).await;
            // Enrolling goes on to the next step.
            let code = code_at(&user.seed, world.now() / 30 - 1);
            at(world, &user, Door::Tokens, &code).await.is_success()
        }
        M::SpentTooLateAtLogIn => {
            let user = world.enrolled("alice", WRITES).await;
            let code = world.code(&user);
            let copy = || world.log_in("alice", &user.password, Some(&code));
            let (first, second, third) = tokio::join!(copy(), copy(), copy());
            [first, second, third].iter().filter(|answer| answer.is_success()).count() > 1
        }
        M::CodeSpentTooLateOnWrites => copies_pass(world, Door::Publish, |world, user| world.code(user)).await,
        M::RecoveryCodeSpentTooLate => copies_pass(world, Door::Tokens, |_, user| user.recovery[0].clone()).await,
        M::WebTokenSpentTooLate => {
            let mut key = Forger::new(1);
            let user = world.key_holder("alice", &mut key, WRITES).await;
            let token = world.token(&user, &mut key).await;
            let copy = || world.renames(&user, &token);
            let (first, second, third) = tokio::join!(copy(), copy(), copy());
            [first, second, third].iter().filter(|passed| **passed).count() > 1
        }
        M::WrongPassesWhileVerifying => copies_pass(world, Door::Publish, |world, user| world.wrong_code(user)).await,
        M::LogInNeverThrottled => listens_on(world, true).await,
        M::ThrottledAtLogInAlone => listens_on(world, false).await,
        M::AutomationTokenWithCodeChangesAccount => {
            with_token(world, json!({ "bypass_2fa": true }), Door::Profile).await
        }
        M::ReadOnlyTokenWithCodeWrites => with_token(world, json!({ "readonly": true }), Door::Publish).await,
        M::RevokedAutomationTokenWorks => revoked_works(world, json!({ "automation": true })).await,
        M::ChallengeIgnored => {
            let mut key = Forger::new(1);
            let user = world.key_holder("alice", &mut key, WRITES).await;
            let door = world.open_door(&user).await;
            world.touch(&door.auth, &mut key.lying(of_no_challenge())).await.is_success()
        }
        M::LogInChallengeIgnored => log_in_believes(world, of_no_challenge()).await,
        M::LogInOriginIgnored => log_in_believes(world, Lie::Origin("http://elsewhere.test".to_owned())).await,
        M::LogInSignatureIgnored => log_in_believes(world, Lie::Signature).await,
        M::ProfileReadChallenged => read_asks(world, "/-/npm/v1/user").await,
        M::TokenListChallenged => read_asks(world, "/-/npm/v1/tokens").await,
        M::PackumentChallenged => read_asks(world, "/@alice%2fp").await,
        M::WriteReadChallenged => read_asks(world, "/@alice%2fp?write=true").await,
        M::TarballChallenged => read_asks(world, "/@alice%2fp/-/p-1.0.0.tgz").await,
        M::TagsReadChallenged => read_asks(world, "/-/package/@alice%2fp/dist-tags").await,
        M::VisibilityReadChallenged => read_asks(world, "/-/package/@alice%2fp/visibility").await,
        M::CollaboratorsChallenged => read_asks(world, "/-/package/@alice%2fp/collaborators").await,
        M::TeamPackagesChallenged => read_asks(world, "/-/team/alice/devs/package").await,
        M::UserPackagesChallenged => read_asks(world, "/-/user/alice/package").await,
        M::PingChallenged => read_asks(world, "/-/ping").await,
        M::SearchChallenged => read_asks(world, "/-/v1/search?text=p").await,
        other => form_faults::shows(other, world).await,
    }
}
