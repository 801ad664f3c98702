//! The dashboard: what a load run or a search shows on a terminal while it lasts, and the plain lines elsewhere.
//!
//! A [`view`] is what has been seen, [`draw`] a pure function of it, [`inline`] the lines of the terminal that it is drawn
//! on, and [`watch`] what a run tells. It is drawn once a second by the thread that waits for those that send.

mod draw;
mod inline;
mod view;
mod watch;

pub(super) use watch::Watch;
