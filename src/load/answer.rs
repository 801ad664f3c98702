//! Answers as they are read under load: HTTP/1.1 (RFC 9112), bounded, without a copy where one read brought all of it.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use crate::dialect::predicate::Answer;

/// The most headers that an answer may have.
const HEADERS: usize = 64;
/// The largest head, and the largest whole answer, in bytes.
const HEAD_LIMIT: usize = 64 * 1024;
const LIMIT: usize = 4 * 1024 * 1024;

/// A whole answer.
#[derive(Debug)]
pub struct Reply<'a> {
    /// The status code.
    pub status: u16,
    /// The status line and the headers, as received.
    head: &'a [u8],
    /// The body.
    pub body: Cow<'a, [u8]>,
    /// Whether the connection can be used again.
    pub reusable: bool,
    /// How many bytes the answer took.
    pub length: usize,
}

impl<'a> Reply<'a> {
    /// The answer as the rules of a dialect read it, which is slow: for what bytes alone do not tell.
    pub fn for_rules(&self) -> Answer {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Answer {
            status: self.status,
            headers: self.headers().map(|(name, value)| (name.to_ascii_lowercase(), text(value))).collect(),
            body: self.body.to_vec(),
            json: serde_json::from_slice(&self.body).ok(),
        }
    }

    /// The status line and the headers, as received.
    pub(super) fn head(&self) -> &'a [u8] {
        self.head
    }

    /// The headers, as received. The head has been read before, so what is not one is the end of it.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.head.split(|byte| *byte == b'\n').skip(1).filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            Some((std::str::from_utf8(&line[..colon]).ok()?, line[colon + 1..].trim_ascii()))
        })
    }
}

/// What the bytes so far are.
#[derive(Debug)]
pub enum Read<'a> {
    /// A whole answer.
    Whole(Reply<'a>),
    /// The beginning of one.
    Part,
    /// Something else.
    Garbage,
}

/// Reads the answer that `bytes` begin with. With `ended` no more will come.
pub fn read(bytes: &[u8], ended: bool) -> Read<'_> {
    let mut skipped = 0;
    loop {
        match read_one(&bytes[skipped..], ended) {
            // An interim answer is followed by the final one (RFC 9110 §15.2).
            Read::Whole(reply) if (100..200).contains(&reply.status) && reply.status != 101 => skipped += reply.length,
            Read::Whole(mut reply) => {
                reply.length += skipped;
                return Read::Whole(reply);
            }
            other => return other,
        }
    }
}

fn read_one(bytes: &[u8], ended: bool) -> Read<'_> {
    let mut headers = [const { MaybeUninit::uninit() }; HEADERS];
    let mut head = httparse::Response::new(&mut []);
    let begins =
        match httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut head, bytes, &mut headers) {
            Ok(httparse::Status::Complete(begins)) => begins,
            Ok(httparse::Status::Partial) if bytes.len() < HEAD_LIMIT => return Read::Part,
            Ok(httparse::Status::Partial) | Err(_) => return Read::Garbage,
        };
    let (Some(status), Some(version)) = (head.code, head.version) else { return Read::Garbage };
    let named = |name: &str| head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
    let value = |name: &str| named(name).and_then(|header| std::str::from_utf8(header.value).ok()).map(str::trim);
    let has = |name: &str, word: &str| value(name).is_some_and(|value| value.to_ascii_lowercase().contains(word));
    let body = &bytes[begins..];
    let bodiless = status < 200 || status == 204 || status == 304;
    let (body, length, framed) = if bodiless {
        (Cow::Borrowed(&body[..0]), 0, true)
    } else if has("transfer-encoding", "chunked") {
        match unchunk(body) {
            Chunks::Whole(content, length) => (Cow::Owned(content), length, true),
            Chunks::Part if body.len() < LIMIT => return Read::Part,
            Chunks::Part | Chunks::Garbage => return Read::Garbage,
        }
    } else if let Some(length) = value("content-length") {
        match length.parse::<usize>() {
            Ok(length) if length > LIMIT => return Read::Garbage,
            Ok(length) if body.len() < length => return Read::Part,
            Ok(length) => (Cow::Borrowed(&body[..length]), length, true),
            Err(_) => return Read::Garbage,
        }
    } else if ended {
        // Without either, the body lasts as long as the connection (RFC 9112 §6.3).
        (Cow::Borrowed(body), body.len(), false)
    } else if body.len() < LIMIT {
        return Read::Part;
    } else {
        return Read::Garbage;
    };
    let reusable = framed && !has("connection", "close") && (version == 1 || has("connection", "keep-alive"));
    Read::Whole(Reply { status, head: &bytes[..begins], body, reusable, length: begins + length })
}

enum Chunks {
    Whole(Vec<u8>, usize),
    Part,
    Garbage,
}

/// Puts chunks together (RFC 9112 §7.1), with the trailer passed over.
fn unchunk(bytes: &[u8]) -> Chunks {
    let mut content = Vec::new();
    let mut at = 0;
    loop {
        let (line, size) = match httparse::parse_chunk_size(&bytes[at..]) {
            Ok(httparse::Status::Complete(chunk)) => chunk,
            Ok(httparse::Status::Partial) => return Chunks::Part,
            Err(_) => return Chunks::Garbage,
        };
        at += line;
        if size == 0 {
            return match bytes[at..].windows(2).position(|pair| pair == b"\r\n") {
                Some(0) => Chunks::Whole(content, at + 2),
                _ => match bytes[at..].windows(4).position(|end| end == b"\r\n\r\n") {
                    Some(end) => Chunks::Whole(content, at + end + 4),
                    None => Chunks::Part,
                },
            };
        }
        let Ok(size) = usize::try_from(size) else { return Chunks::Garbage };
        if size > LIMIT || content.len() + size > LIMIT {
            return Chunks::Garbage;
        }
        let Some(chunk) = bytes.get(at..at + size) else { return Chunks::Part };
        content.extend_from_slice(chunk);
        match bytes.get(at + size..at + size + 2) {
            Some(b"\r\n") => at += size + 2,
            Some(_) => return Chunks::Garbage,
            None => return Chunks::Part,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(bytes: &[u8], ended: bool) -> Reply<'_> {
        match read(bytes, ended) {
            Read::Whole(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    const PLAIN: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    const CHUNKED: &[u8] =
        b"HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nA: b\r\n\r\n";

    #[test]
    fn bodies_are_framed_by_length_by_chunks_or_by_the_end() {
        let reply = whole(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP", false);
        assert_eq!((&*reply.body, reply.reusable, reply.length), (&b"ok"[..], true, PLAIN.len()));
        let reply = whole(CHUNKED, false);
        assert_eq!((reply.status, &*reply.body, reply.length), (401, &b"abcde"[..], CHUNKED.len()));
        assert_eq!(&*whole(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false).body, b"");
        let endless = b"HTTP/1.1 200 OK\r\n\r\nto the end";
        assert!(matches!(read(endless, false), Read::Part));
        let reply = whole(endless, true);
        assert_eq!((&*reply.body, reply.reusable), (&b"to the end"[..], false));
        assert!(!whole(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", false).reusable);
        assert!(!whole(b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", false).reusable);
    }

    #[test]
    fn headers_are_those_that_were_received() {
        let reply =
            whole(b"HTTP/1.1 200 OK\r\nA: b \r\nwww-authenticate:OTP\r\nempty:\r\ncontent-length: 2\r\n\r\nx:", false);
        let wanted = [("A", &b"b"[..]), ("www-authenticate", b"OTP"), ("empty", b""), ("content-length", b"2")];
        assert_eq!(reply.headers().collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn an_interim_answer_is_passed_over() {
        let bytes = [b"HTTP/1.1 100 Continue\r\n\r\n", PLAIN].concat();
        let reply = whole(&bytes, false);
        assert_eq!((reply.status, reply.length), (200, bytes.len()));
    }

    #[test]
    fn garbage_is_told_from_a_beginning() {
        for wrong in [
            &b"not HTTP at all\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc",
        ] {
            assert!(matches!(read(wrong, false), Read::Garbage), "{}", String::from_utf8_lossy(wrong));
        }
    }

    proptest! {
        #[test]
        fn every_beginning_of_an_answer_is_a_part(cut in 0_usize..200) {
            for answer in [PLAIN, CHUNKED] {
                if cut < answer.len() {
                    prop_assert!(matches!(read(&answer[..cut], false), Read::Part));
                }
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), ended: bool) {
            let _ = read(&bytes, ended);
            let _ = read(&[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", bytes.as_slice()].concat(), ended);
        }
    }
}
