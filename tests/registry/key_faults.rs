//! The probes of the faults of security keys and web challenges.

use serde_json::{Value, json};
use stepup::registry::Mutant;

use crate::support::keys::{Authenticator, Forger, Lie, soft_key};
use crate::support::{AUTH_ONLY, Reply, User, WRITES, World, seed_in, send};

use Mutant as M;

/// A user with a key that can lie, in auth-and-writes mode.
async fn holder(world: &World) -> (User, Forger) {
    let mut key = Forger::new(1);
    let user = world.key_holder("alice", &mut key, WRITES).await;
    (user, key)
}

/// Whether an assertion that lies is accepted.
async fn believes(world: &World, lie: Lie) -> bool {
    let (user, key) = holder(world).await;
    let door = world.open_door(&user).await;
    world.touch(&door.auth, &mut key.lying(lie)).await.is_success()
}

/// What came of an assertion that was made by hand.
async fn post(world: &World, page: &str, credential: &Value) -> bool {
    world.post(&format!("{page}/assertion"), credential).await.is_success()
}

async fn challenge(world: &World) -> Reply {
    let (user, _) = holder(world).await;
    world.profile(&user, json!({ "fullname": "A" }), None).await
}

/// An answered web challenge whose token is still to be collected.
async fn answered(world: &World) -> (User, String) {
    let (user, mut key) = holder(world).await;
    let door = world.open_door(&user).await;
    assert!(world.touch(&door.auth, &mut key).await.is_success());
    (user, door.done)
}

async fn polls_as(world: &World, user: &User, done: &str) -> bool {
    world.read(user, done).await.status == 200
}

/// A user with codes, and a key beside them where the registry lets him.
async fn adds_key_to_codes(world: &World, proven: bool) -> (Reply, User) {
    let user = world.enrolled("alice", WRITES).await;
    let proof = proven.then(|| world.code(&user));
    let begun = world.begin_key(&user, None, proof.as_deref()).await;
    if !begun.is_success() {
        return (begun, user);
    }
    (world.end_key(&user, &begun, &mut Forger::new(1)).await, user)
}

/// A key user who registers another key with a lie.
async fn adds_lying_key(world: &World, lie: Lie) -> (Reply, User) {
    let (user, mut key) = holder(world).await;
    let door = world.door(&world.begin_key(&user, None, None).await);
    let token = world.token_at(&door, &mut key).await;
    let begun = world.begin_key(&user, None, Some(&token)).await;
    (world.end_key(&user, &begun, &mut Forger::new(2).lying(lie)).await, user)
}

/// Whether a registration that lies registers a key that then proves.
async fn registers(world: &World, lie: Lie) -> bool {
    // A right one of a key that signs its registration registers it under every fault.
    let mut other = world.sign_up("bob").await;
    world.add_key(&mut other, &mut soft_key(), None, None).await;
    let (added, user) = adds_lying_key(world, lie).await;
    let kept = keys_of(world, &user).await == 2;
    assert_eq!(added.is_success(), kept, "{}", added.text);
    kept && world.renames(&user, &world.token(&user, &mut Forger::new(2)).await).await
}

async fn keys_of(world: &World, user: &User) -> usize {
    world.read(user, "/-/account/keys").await.json()["objects"].as_array().map_or(0, Vec::len)
}

/// The first page of a web login, after the right password.
pub async fn half_logged_in(world: &World, user: &User) -> (String, String) {
    let start = send(world.request("POST", "/-/v1/login").json(&json!({}))).await.json();
    let path = |member: &str| start[member].as_str().unwrap().strip_prefix(&world.base).unwrap().to_owned();
    let form = format!("username={}&password={}", user.name, user.password.replace(' ', "+"));
    send(world.request("POST", &path("loginUrl")).body(form)).await;
    (path("loginUrl"), path("doneUrl"))
}

/// Where a web login's session is fetched, whose page has been filled in.
pub async fn logged_in_on_page(world: &World) -> String {
    let user = world.enrolled("alice", WRITES).await;
    let (page, done) = half_logged_in(world, &user).await;
    assert_eq!(world.get(&done).await.status, 202);
    send(world.request("POST", &page).body(format!("otp={}", world.code(&user)))).await;
    done
}

/// Whether a fault shows.
pub async fn shows(mutant: Mutant, world: &World) -> bool {
    match mutant {
        M::CodesAddedUnchallenged => {
            let (user, _) = holder(world).await;
            world.begin_enrolment(&user, Some(WRITES)).await.is_success()
        }
        M::KeyAddedUnchallenged => adds_key_to_codes(world, false).await.0.is_success(),
        M::KeyRemovedUnchallenged => {
            let (mut user, mut key) = holder(world).await;
            let door = world.door(&world.begin_key(&user, None, None).await);
            let token = world.token_at(&door, &mut key).await;
            let id = world.add_key(&mut user, &mut Forger::new(2), None, Some(&token)).await;
            world.remove_key(&user, &id, None).await.is_success()
        }
        M::KeyAddedWithoutPassword => {
            let user = world.sign_up("alice").await;
            let wrong = User { password: "not it".to_owned(), ..user };
            world.begin_key(&wrong, None, None).await.is_success()
        }
        M::KeyUsersUnchallenged => challenge(world).await.is_success(),
        M::AnyCodeForKeyUser => {
            let (user, _) = holder(world).await;
            world.renames(&user, "123456").await
        }
        M::RecoveryCodeRefusedForKeyUser => {
            let (user, _) = holder(world).await;
            !world.renames(&user, &user.recovery[0]).await
        }
        M::KeyEnrolmentWeakensMode => {
            let (added, user) = adds_key_to_codes(world, true).await;
            assert!(added.is_success());
            world.read(&user, "/-/npm/v1/user").await.json()["tfa"]["mode"] == AUTH_ONLY
        }
        M::KeyReplacesCodes => {
            let (added, user) = adds_key_to_codes(world, true).await;
            assert!(added.is_success());
            let code = world.fresh_code(&user);
            !world.renames(&user, &code).await
        }
        M::CodesReplaceKeys => {
            let (mut user, mut key) = holder(world).await;
            let begin = json!({ "tfa": { "password": user.password, "mode": WRITES } });
            let door = world.door(&world.profile(&user, begin.clone(), None).await);
            let token = world.token_at(&door, &mut key).await;
            user.seed = seed_in(&world.profile(&user, begin, Some(&token)).await);
            let confirm = json!({ "tfa": [world.code(&user)] });
            assert!(world.profile(&user, confirm, None).await.is_success());
            world.read(&user, "/-/account/keys").await.json() == json!({ "objects": [] })
        }
        M::WebChallengeWithoutHeader => challenge(world).await.header("www-authenticate").is_none(),
        M::WebChallengeWithoutDoneUrl => challenge(world).await.json()["doneUrl"].is_null(),
        M::WebChallengeRelativeUrls => challenge(world).await.json()["authUrl"].as_str().unwrap().starts_with('/'),
        M::ClassicChallengeToKeyUser => challenge(world).await.json()["authUrl"].is_null(),
        M::KeyOfferedToCodeUser => {
            let mut user = world.enrolled("alice", WRITES).await;
            user.web = true;
            let reply = world.profile(&user, json!({ "fullname": "A" }), None).await;
            if reply.json()["authUrl"].is_null() {
                return false;
            }
            let page = world.get(&world.door(&reply).auth).await.text;
            page.contains("use-key") && !page.contains("name=\"otp\"")
        }
        M::AssertionReplayed => {
            let (user, mut key) = holder(world).await;
            let (first, second) = (world.open_door(&user).await, world.open_door(&user).await);
            let credential = key.assert(&world.origin(), &world.options(&first.auth).await);
            assert!(post(world, &first.auth, &credential).await);
            world.options(&second.auth).await;
            post(world, &second.auth, &credential).await
        }
        M::EarlierChallengeAccepted => {
            let (user, mut key) = holder(world).await;
            let door = world.open_door(&user).await;
            let earlier = world.options(&door.auth).await;
            world.options(&door.auth).await;
            post(world, &door.auth, &key.assert(&world.origin(), &earlier)).await
        }
        M::ChallengeOfAnotherSessionAccepted => {
            let (user, mut key) = holder(world).await;
            let (first, second) = (world.open_door(&user).await, world.open_door(&user).await);
            let elsewhere = world.options(&first.auth).await;
            world.options(&second.auth).await;
            post(world, &second.auth, &key.assert(&world.origin(), &elsewhere)).await
        }
        M::WrongOriginAccepted => believes(world, Lie::Origin("http://elsewhere.test".to_owned())).await,
        M::CrossOriginAccepted => believes(world, Lie::CrossOrigin).await,
        M::WrongRpIdAccepted => believes(world, Lie::RpId("elsewhere.test")).await,
        M::UserPresenceIgnored => believes(world, Lie::Flags(0b100)).await,
        M::UserVerificationIgnored => believes(world, Lie::Flags(0b001)).await,
        M::SignatureIgnored => believes(world, Lie::Signature).await,
        M::UserHandleIgnored => believes(world, Lie::UserHandle(vec![7; 16])).await,
        M::CeremonyTypeIgnored => believes(world, Lie::Type("webauthn.create")).await,
        M::CounterIgnored => {
            let (user, mut key) = holder(world).await;
            let mut clone = key.clone();
            world.token(&user, &mut key).await;
            let door = world.open_door(&user).await;
            world.touch(&door.auth, &mut clone).await.is_success()
        }
        M::CredentialOfAnotherUserAccepted => {
            let (user, _) = holder(world).await;
            let mut other = Forger::new(2);
            world.key_holder("bob", &mut other, WRITES).await;
            let door = world.open_door(&user).await;
            world.touch(&door.auth, &mut other).await.is_success()
        }
        M::RemovedKeyAccepted => {
            let (mut user, mut key) = holder(world).await;
            let door = world.door(&world.begin_key(&user, None, None).await);
            let token = world.token_at(&door, &mut key).await;
            let mut second = Forger::new(2);
            let id = world.add_key(&mut user, &mut second, None, Some(&token)).await;
            let door = world.door(&world.remove_key(&user, &id, None).await);
            let token = world.token_at(&door, &mut key).await;
            assert!(world.remove_key(&user, &id, Some(&token)).await.is_success());
            let door = world.open_door(&user).await;
            world.touch(&door.auth, &mut second).await.is_success()
        }
        M::RightAssertionRefused => !believes(world, Lie::None).await,
        M::RegistrationTypeIgnored => registers(world, Lie::Type("webauthn.get")).await,
        M::RegistrationChallengeIgnored => registers(world, Lie::Challenge("BwcHBwcHBwc".to_owned())).await,
        M::RegistrationOriginIgnored => registers(world, Lie::Origin("http://elsewhere.test".to_owned())).await,
        M::RegistrationCrossOriginIgnored => registers(world, Lie::CrossOrigin).await,
        M::RegistrationRpIdIgnored => registers(world, Lie::RpId("elsewhere.test")).await,
        M::RegistrationPresenceIgnored => registers(world, Lie::Flags(0b100)).await,
        M::RegistrationVerificationIgnored => registers(world, Lie::Flags(0b001)).await,
        M::RefusedRegistrationKept => {
            let (added, user) = adds_lying_key(world, Lie::CrossOrigin).await;
            added.is_plain(400) && keys_of(world, &user).await == 2
        }
        M::DoneBeforeAssertion => {
            let (user, _) = holder(world).await;
            let door = world.open_door(&user).await;
            world.get(&door.done).await.status == 200
        }
        M::DoneForAnotherUser => {
            let (_, done) = answered(world).await;
            let bob = world.sign_up("bob").await;
            polls_as(world, &bob, &done).await
        }
        M::DoneNotAnonymous => {
            let (_, done) = answered(world).await;
            world.get(&done).await.status == 404
        }
        M::DoneForGetOnly => {
            let (user, done) = answered(world).await;
            world.call(&user, "PUT", &done, Some(json!("1.0.0")), None).await.status == 405
        }
        M::DoneTwice => {
            let (user, done) = answered(world).await;
            assert!(polls_as(world, &user, &done).await);
            polls_as(world, &user, &done).await
        }
        M::DoneAfterExpiry => {
            let (user, done) = answered(world).await;
            world.pass(600);
            polls_as(world, &user, &done).await
        }
        M::PollsAtOnce => {
            let (user, done) = answered(world).await;
            let poll = || polls_as(world, &user, &done);
            let (first, second, third) = tokio::join!(poll(), poll(), poll());
            [first, second, third].iter().filter(|yielded| **yielded).count() > 1
        }
        M::PendingWithoutRetryAfter => {
            let (user, _) = holder(world).await;
            let door = world.open_door(&user).await;
            world.get(&door.done).await.header("retry-after").is_none()
        }
        M::WebTokenReusable => {
            let (user, mut key) = holder(world).await;
            let token = world.token(&user, &mut key).await;
            assert!(world.renames(&user, &token).await);
            world.renames(&user, &token).await
        }
        M::WebTokenForAnotherAction => {
            let (user, mut key) = holder(world).await;
            let token = world.token(&user, &mut key).await;
            world.publish(&user, "p", "1.0.0", Some(&token)).await.is_success()
        }
        M::WebTokenAfterExpiry => {
            let (user, mut key) = holder(world).await;
            let token = world.token(&user, &mut key).await;
            world.pass(120);
            world.renames(&user, &token).await
        }
        M::WebTokenOfAnotherUser => {
            let (user, mut key) = holder(world).await;
            let bob = world.key_holder("bob", &mut Forger::new(2), WRITES).await;
            let token = world.token(&user, &mut key).await;
            world.renames(&bob, &token).await
        }
        M::WebLogInTokenBeforeFactor => {
            let (user, _) = holder(world).await;
            let (_, done) = half_logged_in(world, &user).await;
            world.get(&done).await.status == 200
        }
        M::LogInDoneTwice => {
            let done = logged_in_on_page(world).await;
            assert_eq!(world.get(&done).await.status, 200);
            world.get(&done).await.status == 200
        }
        M::LogInDoneAfterExpiry => {
            let done = logged_in_on_page(world).await;
            world.pass(1_200);
            world.get(&done).await.status == 200
        }
        other => unreachable!("{other} is no fault of keys"),
    }
}
