//! Notices files that come to or go from the folders that are built into the program.

fn main() {
    for folder in ["fixtures", "scenarios"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
