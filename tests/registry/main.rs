//! The reference registry, by itself.

mod account_faults;
mod aftermath_faults;
mod client_faults;
mod codes;
mod door_faults;
mod enrolment;
mod form_faults;
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
