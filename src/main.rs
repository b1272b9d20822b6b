//! The `graphwire` command.

fn main() {}
