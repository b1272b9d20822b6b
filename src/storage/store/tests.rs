//! The store on a simulated disk: every operation failed, or stopped at, and every kind of damage.

mod corruption;
mod faults;
mod harness;
mod log;
