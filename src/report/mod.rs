//! Reports: pure functions of the documents that runs write, one form each.

pub mod annotations;
pub mod badge;
pub mod checks;
pub mod clients;
pub mod compare;
pub mod conclusion;
pub mod deviations;
mod document;
pub mod evidence;
mod format;
pub mod html;
pub mod json;
pub mod junit;
pub mod leftovers;
pub mod load;
pub mod markdown;
pub mod matrix;
pub mod operators;
pub mod sarif;
pub mod standing;
pub mod tables;
pub mod tap;
pub mod terminal;
pub mod text;

pub use document::Document;
pub use format::Format;
