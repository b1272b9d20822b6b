//! Tells `../src/error.rs` that DataFusion is not here.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(graphwire_parts)");
    println!("cargo::rustc-cfg=graphwire_parts");
    println!("cargo::rerun-if-changed=build.rs");
}
