//! Maps the command line's outcome to an exit code.

fn main() {}
