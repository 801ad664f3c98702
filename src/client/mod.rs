//! Real clients: the command-line tools that people type the documented commands into.
//!
//! A client is data ([`mod@file`]): what is installed, how each row is spelled, which prompts it shows. [`process`] runs one
//! command as a script or a person does, [`home`] gives it settings of its own, and [`proxy`] stands between it and the
//! registry and records what really crossed the wire. Nothing here judges.

pub mod file;
pub mod home;
pub mod limits;
pub mod process;
pub mod proxy;

pub use file::{Client, find, names};

pub use crate::result::Situation;
