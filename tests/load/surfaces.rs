//! Every door to every action of the dialect, sent as load to the reference registry.

use std::collections::BTreeMap;

use stepup::load::fate::Fate;
use stepup::load::mix::Kind;
use stepup::load::passphrase::Whence;
use stepup::load::profile;
use stepup::load::run::{self, Outcome};
use stepup::load::session::{For, Options, Resolver, Session, Unready};
use stepup::source::Source;

/// Doors that cannot be sent as load, and why.
const CANNOT: [(&str, &str); 4] = [
    ("mode-change:enable", "for users in another mode"),
    ("mode-change:default", "for users in another mode"),
    ("code-add", "for users with security keys alone"),
    ("logout", "it ends the sessions that the users of a load have"),
];

/// Doors at which the reference registry asks nobody who is in `auth-and-writes` for a second factor.
const OPEN: [&str; 4] = ["star", "stage-publish", "dist-tag-add:other", "dist-tag-rm"];

fn options(action: &str, mix: &str, pace: &str) -> Options {
    let text = format!(
        "name: all\naction: {action}\npace: [{{ constant: {pace} }}]\narrivals: even\nconnections: 8\nmix: {mix}\n\
         valid: {{ busy: 100 %, lateness-p99: 5 s }}\nobjectives: [success >= 100 %]\n"
    );
    Options {
        profile: profile::read(&Source::Written { name: "p.yaml".to_owned(), text }).expect("a profile"),
        target: "embedded".to_owned(),
        pool: None,
        passphrase: Whence::Around,
        seed: 1,
        threads: Some(1),
        mutants: Vec::new(),
        authorities: None,
        resolver: Resolver::System,
    }
}

/// Runs a load of an action. The error is why it cannot be.
async fn load(action: &str, mix: &str, pace: &str) -> Result<(Outcome, Session), String> {
    let said = |unready| match unready {
        Unready::File(error) => error.to_string(),
        Unready::Options(message) | Unready::Target(message) | Unready::Unprotected(message) => message,
    };
    let mut session = Session::begin(options(action, mix, pace), For::Pace).await.map_err(said)?;
    session.prepare(|_| {}).await.map_err(said)?;
    let plan = session.plan.clone();
    let ran = tokio::task::spawn_blocking(move || run::conduct(&plan, &false.into(), |_, _| {}));
    Ok((ran.await.expect("it ends").expect("it runs"), session))
}

/// What of it is not as it must be.
fn wrong(outcome: &Outcome, session: &Session) -> Vec<String> {
    let counts = &outcome.whole.counts;
    let mut wrong = Vec::new();
    for (kind, fate) in Kind::ALL.into_iter().flat_map(|kind| Fate::ALL.map(|fate| (kind, fate))) {
        if counts.of(kind, fate) > 0 && fate.judged(kind) != stepup::judge::Verdict::Exact {
            wrong.push(format!("{} {} were {}", counts.of(kind, fate), kind.name(), fate.name()));
        }
    }
    if counts.sum(|_, _| true) != outcome.whole.planned || outcome.whole.planned == 0 {
        wrong.push(format!("of {} arrivals {} ended", outcome.whole.planned, counts.sum(|_, _| true)));
    }
    let counted = session.counted().map(|counted| counted.requests);
    if counted != Some(outcome.requests) {
        wrong.push(format!("{} requests were sent, and the registry counted {counted:?}", outcome.requests));
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn every_door_is_sent_as_load_or_says_why_not() {
    let dialect = stepup::target::find("embedded").expect("the target").dialect;
    let reads: Vec<String> =
        dialect.surfaces.iter().filter(|surface| is_read(surface)).map(|surface| surface.id()).collect();
    let mut failed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for surface in &dialect.surfaces {
        let id = surface.id();
        let asked = !reads.contains(&id) && !OPEN.contains(&id.as_str());
        let mix = if asked { "{ right: 2, exchange: 1, key: 1, wrong: 1, challenge-only: 1 }" } else { "{ right: 1 }" };
        let loaded = load(&id, mix, "{ rate: 60/s, for: 250 ms }").await;
        let known = CANNOT.iter().find(|(known, _)| *known == id);
        let wrong = match (&loaded, known) {
            (Ok((outcome, session)), None) => wrong(outcome, session),
            (Ok(_), Some((_, why))) => vec![format!("is sent, and was to say: {why}")],
            (Err(said), Some((_, why))) if said.contains(why) => continue,
            (Err(said), _) => vec![said.clone()],
        };
        if !wrong.is_empty() {
            failed.insert(id, wrong);
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Whether it only reads.
fn is_read(surface: &stepup::dialect::Surface) -> bool {
    use stepup::dialect::step::{Deed, Method};
    surface.perform.iter().all(|step| match &step.deed {
        Deed::Request(request) => matches!(request.line.method, Method::Get),
        Deed::Routine { .. } | Deed::Key(_) | Deed::Browse(_) => false,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_prepared_action_cannot_do_is_said_before_anything_is_sent() {
    let pace = "{ rate: 10/s, for: 1 s }";
    let replayed = load("token-revoke", "{ right: 1, replayed: 1 }", pace).await.err().unwrap_or_default();
    assert!(replayed.contains("leave `replayed` out of the mix"), "{replayed}");
    let searched = Session::begin(options("token-revoke", "{ right: 1 }", pace), For::Search).await;
    match searched {
        Err(Unready::Options(message)) => assert!(message.contains("its capacity is not searched for"), "{message}"),
        other => panic!("{other:?}"),
    }
    // Nobody listens there, and nobody is asked.
    for (action, mix, why) in [
        ("disable-2fa", "{ right: 1 }", "would use up the pool"),
        ("profile-set:fullname", "{ key: 1 }", "no security key can answer"),
    ] {
        let options = Options { target: "http://127.0.0.1:1".to_owned(), ..options(action, mix, pace) };
        match Session::begin(options, For::Pace).await {
            Err(Unready::Options(message)) => assert!(message.contains(why), "{action}: {message}"),
            other => panic!("{action}: {other:?}"),
        }
    }
}
