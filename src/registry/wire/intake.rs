//! Taking in a request's body, up to a limit.

use std::future::poll_fn;
use std::pin::pin;

use axum::body::{Body, Bytes, HttpBody};

/// A body beyond the limit is read and dropped up to this many times the limit, so that a client
/// that writes before it reads still gets to see the answer.
const DRAINED: usize = 4;

/// What became of a body.
pub(crate) enum Intake {
    Whole(Bytes),
    TooLarge,
    /// The client went away or broke the framing.
    Broken,
}

/// Reads a body. One frame is passed on as it is; only several are copied together.
pub(crate) async fn take_in(body: Body, limit: usize) -> Intake {
    let mut body = pin!(body);
    let mut first = Bytes::new();
    let mut rest: Vec<u8> = Vec::new();
    let mut length = 0_usize;
    while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let Ok(frame) = frame else {
            return Intake::Broken;
        };
        let Ok(chunk) = frame.into_data() else {
            continue;
        };
        length = length.saturating_add(chunk.len());
        if length > limit {
            rest = Vec::new();
            if length > limit.saturating_mul(DRAINED) {
                return Intake::TooLarge;
            }
        } else if first.is_empty() && rest.is_empty() {
            first = chunk;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&chunk);
        }
    }
    if length > limit {
        Intake::TooLarge
    } else if rest.is_empty() {
        Intake::Whole(first)
    } else {
        Intake::Whole(Bytes::from(rest))
    }
}
