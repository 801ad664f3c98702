//! The reference registry, by itself.

mod codes;
mod door_faults;
mod enrolment;
mod key_faults;
mod keys;
mod login;
mod mutants;
mod packages;
mod pages;
mod support;
mod table;
mod tokens;
mod web_challenge;
mod wire;
