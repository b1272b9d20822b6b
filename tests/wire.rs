//! The wire protocol, byte by byte: raw sockets against a server in this process.
//!
//! Transcripts name what is sent and compare what comes back, message by message. SECURITY.md §5 numbers the
//! experiments that are repeated here (A-01, W-01, W-02, W-04, W-05, R-02).

mod cancel;
mod client;
mod copy;
mod domain_in_row;
mod encryption;
mod enum_type;
mod extended;
mod first_packet;
mod fuzz;
mod login;
mod names_in_arrays;
mod notify;
mod quick;
mod quick_writes;
mod server;
mod simple;
mod text;
