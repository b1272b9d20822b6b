//! The `graphwire` command: arguments, configuration, wiring.

mod allocator;
#[cfg(target_os = "linux")]
mod blocks;
mod commands;
mod config;
mod maintenance;

use std::process::ExitCode;

use clap::Parser as _;
use graphwire::types::Measured;
use mimalloc::MiMalloc;

/// It counts what each statement holds.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: Measured<blocks::Blocks<MiMalloc>> = Measured(blocks::Blocks(MiMalloc));
#[cfg(not(target_os = "linux"))]
#[global_allocator]
static ALLOCATOR: Measured<MiMalloc> = Measured(MiMalloc);

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
