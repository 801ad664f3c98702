//! Rebuilds the binary when a scenario or fixture that it carries is added, removed or changed.

fn main() {
    println!("cargo:rerun-if-changed=scenarios");
    println!("cargo:rerun-if-changed=fixtures");
}
