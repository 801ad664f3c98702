//! Exit codes: what a pipeline sees.

/// All selected cases held.
pub const HELD: u8 = 0;
/// At least one selected case did not hold.
pub const DEVIATING: u8 = 1;
/// The command line or a file is wrong.
pub const USAGE: u8 = 2;
/// The target cannot be reached or used.
pub const UNREACHABLE: u8 = 3;
/// Nothing was selected, nothing was executed, or nothing of it decides.
pub const NOTHING: u8 = 4;
/// The run was interrupted, or a report could not be written.
pub const INCOMPLETE: u8 = 5;
/// A load measurement is invalid: this program or its users, not the target, were the limit.
pub const INVALID: u8 = 6;
/// An objective had nothing to measure.
pub const NO_DATA: u8 = 7;
/// Cases that need a second factor were selected, and none was judged, or none for what is required.
pub const SECOND_FACTOR_NOT_JUDGED: u8 = 8;
