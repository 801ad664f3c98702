//! A target that freezes for two seconds, measured by schedule and by clients who wait: the first shows the freeze, the
//! second hides it, although the target did the same to both.
//!
//!     cargo run --release --example frozen_target

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use stepup::load::crowd::Crowd;
use stepup::load::mix::Mix;
use stepup::load::objective::Timing;
use stepup::load::pace::{Pace, Spacing};
use stepup::load::request::{self, Connect};
use stepup::load::run::{self, Plan};
use stepup::load::sizing::Crew;
use stepup::load::users::{PoolSeed, Users};
use stepup::quantity::Rate;

const LASTS: Duration = Duration::from_secs(6);
/// From when to when nobody is answered.
const FROZEN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(4));
const CONNECTIONS: u32 = 50;
const RATE: f64 = 2_000.0;

/// Answers every request at once, but for two seconds. The first request is the beginning.
fn target() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let began = Arc::new(Mutex::new(None));
    // It ends with the process.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let began = Arc::clone(&began);
            std::thread::spawn(move || answer(stream, &began));
        }
    });
    Ok(address)
}

fn answer(mut stream: TcpStream, began: &Mutex<Option<Instant>>) {
    let mut request = [0; 4096];
    // A request is one write, and so one read: this is no server for anybody else.
    while let Ok(1..) = stream.read(&mut request) {
        let since = began.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now).elapsed();
        if (FROZEN.0..FROZEN.1).contains(&since) {
            std::thread::sleep(FROZEN.1 - since);
        }
        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").is_err() {
            return;
        }
    }
}

fn plan(address: SocketAddr, crowd: Option<Crowd>) -> Result<Plan, Box<dyn Error>> {
    let dialect = Arc::new(stepup::target::find("embedded")?.dialect);
    let surface = "profile-set:fullname".to_owned();
    let forms = request::forms(&dialect, &surface, &format!("http://{address}").parse()?, Connect::KeepAlive)?;
    let rate = if crowd.is_some() { 100_000.0 } else { RATE };
    let pace = Pace { crowd, ..Pace::constant(Rate::per_second(rate), LASTS, Spacing::Even) };
    let mix = Mix::of_right_codes();
    let crew = Crew::needed(&pace, &mix, 1, 1);
    let users = Users::seeded(PoolSeed::of_number(1), crew.all());
    let (connections, connect, patience) = (CONNECTIONS, Connect::KeepAlive, Duration::from_secs(5));
    let (warm_up, skew, seed, spent_through) = (Duration::ZERO, (1, 1), 1, 0);
    let (cores, own_cores) = (vec![None], false);
    Ok(Plan {
        address,
        dialect,
        surface,
        forms,
        errands: None,
        serves: stepup::load::roster::Serves::Again,
        pace,
        mix,
        users,
        crew,
        connections,
        connect,
        patience,
        warm_up,
        skew,
        seed,
        spent_through,
        cores,
        own_cores,
        tls: None,
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("a target that answers at once, and not at all for {:?}", FROZEN.1 - FROZEN.0);
    let clients = Crowd { clients: CONNECTIONS, think: Duration::from_millis(20) };
    for (name, crowd) in [("by schedule", None), ("clients who wait", Some(clients))] {
        let outcome = run::conduct(&plan(target()?, crowd)?, &AtomicBool::new(false), |_, _| {})?;
        let times = outcome.whole.timed.of(Timing::ResponseTime);
        let at = |quantile| times.quantile(quantile).unwrap_or_default();
        println!(
            "{name:<18}{:>7} answers  p50 {:>10.1?}  p99 {:>10.1?}  longest {:>10.1?}",
            times.len(),
            at(0.5),
            at(0.99),
            times.longest().unwrap_or_default()
        );
    }
    Ok(())
}
