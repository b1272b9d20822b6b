//! The `graphwire` command: arguments, configuration, wiring.

mod commands;
mod config;
mod maintenance;

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = config::Cli::parse();
    match commands::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("graphwire: {error}");
            ExitCode::from(2)
        }
    }
}
