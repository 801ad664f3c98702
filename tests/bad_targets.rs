//! Targets that misbehave: what was seen is said, within a bound, with exit code 3, and nothing hangs.

mod program;

use std::io::{Read, Write};
use std::net::TcpListener;

/// A target that answers every request with these bytes and closes.
fn target_that_answers(bytes: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { return };
            let mut request = [0; 4096];
            let _ = connection.read(&mut request);
            // A client that has seen enough closes first.
            let _ = connection.write_all(&bytes);
        }
    });
    address
}

fn check(target: &str) -> (Option<i32>, String) {
    let ran = program::check(&["--target", target]);
    assert_eq!(ran.result, None, "nothing was judged, so nothing may read as a result");
    (ran.code, ran.said.replace("\n  │ ", " "))
}

#[test]
fn an_unusable_target_is_named_with_what_was_seen() {
    let mut endless = b"HTTP/1.1 200 OK\r\ncontent-length: 2147483648\r\n\r\n".to_vec();
    endless.resize(5 * 1024 * 1024, b'x');
    let cases: [(&str, Vec<u8>, &str); 6] = [
        ("closes", vec![], "broke off"),
        (
            "half JSON",
            b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 5\r\n\r\n{\"ok\"".to_vec(),
            "JSON",
        ),
        ("HTML", b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>".to_vec(), "200"),
        ("redirects", b"HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n".to_vec(), "302"),
        ("never again", b"HTTP/1.1 429 No\r\nretry-after: 31536000\r\ncontent-length: 0\r\n\r\n".to_vec(), "429"),
        ("endless body", endless, "bytes"),
    ];
    for (name, bytes, seen) in cases {
        let (code, said) = check(&target_that_answers(bytes));
        assert_eq!(code, Some(3), "{name}: {said}");
        assert!(said.contains(seen), "{name}: {said}");
    }
}
