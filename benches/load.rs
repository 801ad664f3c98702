//! What the load engine does for each request beside its system calls: papers and code, the request, the answer, the
//! verdict.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use stepup::load::answer::{Read, Reply, read};
use stepup::load::fate::{Fate, Reader};
use stepup::load::mix::Kind;
use stepup::load::request::{self, Connect, Filling};
use stepup::load::users::{PoolSeed, Users};

const STEP: u32 = 58_000_000;
const SUCCESS: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\
    date: Wed, 25 Nov 2026 00:00:00 GMT\r\n\r\n{}";
const CHALLENGE: &[u8] = b"HTTP/1.1 401 Unauthorized\r\nwww-authenticate: OTP\r\ncontent-type: application/json\r\n\
    content-length: 2\r\ndate: Wed, 25 Nov 2026 00:00:00 GMT\r\n\r\n{}";

fn whole(bytes: &[u8]) -> Reply<'_> {
    match read(bytes, false) {
        Read::Whole(reply) => reply,
        other => panic!("{other:?}"),
    }
}

fn load(criterion: &mut Criterion) {
    let users = Users::seeded(PoolSeed::of_number(1), 1_000_000);
    let mut user = 0;
    let mut next = move || {
        user = (user + 7_919) % 1_000_000;
        user
    };
    criterion.bench_function("a user's papers from the seed", |bencher| {
        bencher.iter(|| black_box(users.papers(next())).user());
    });
    let papers = users.papers(7);
    criterion.bench_function("a code", |bencher| {
        let mut step = STEP;
        bencher.iter(|| {
            step += 1;
            black_box(papers.code(step))
        });
    });
    let dialect = Arc::new(stepup::target::find("embedded").expect("the target").dialect);
    let base = "http://127.0.0.1:4873".parse().expect("an address");
    let forms = request::forms(&dialect, "profile-set:fullname", &base, Connect::KeepAlive).expect("forms");
    let (mut scratch, mut out) = (Vec::new(), Vec::new());
    criterion.bench_function("a request filled in", |bencher| {
        bencher.iter(|| {
            out.clear();
            let filling = Filling { users: &users, papers: &papers, proof: b"123456", number: 42 };
            forms.proven.write(&filling, &mut scratch, &mut out);
            black_box(out.len())
        });
    });
    criterion.bench_function("an answer read", |bencher| bencher.iter(|| black_box(whole(black_box(SUCCESS))).status));
    let mut reader = Reader::new(Arc::clone(&dialect), "profile-set:fullname");
    for (name, answer, kind, fate) in [
        ("a success judged", SUCCESS, Kind::Right, Fate::Accepted),
        ("a challenge judged", CHALLENGE, Kind::ChallengeOnly, Fate::Challenged),
    ] {
        let reply = whole(answer);
        assert_eq!(reader.read(&reply), fate);
        criterion.bench_function(name, |bencher| bencher.iter(|| black_box(reader.read(&reply)).is_breach(kind)));
    }
}

criterion_group!(benches, load);
criterion_main!(benches);
