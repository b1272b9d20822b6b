//! Adjacency lists of graph edges in compressed sparse rows, built from key columns and cached by table version.
//!
//! ```text
//! three tables ──number──► Places             row ↔ number ↔ position in one version
//!              ──resolve─► EdgeEnds           source and destination of each edge, as numbers
//!                            │
//!                            └─count and place──► Adjacency (out), Adjacency (in)
//!                                 offsets [V + 1] ──► neighbors [E], edges [E]
//! ```
//!
//! Lists hold numbers, which stay when a row is updated or moved; [`Places`] has the position of a number in the
//! version a statement reads. A version that differs little from one that is known takes over what is known of that
//! and has a small delta beside it (`derive`), which is merged on another thread when it has grown.
//!
//! Numbers and positions are kept as `u32`: a table of more than 4,294,967,294 rows cannot be an element table
//! (`54000`).

mod cache;
mod charge;
mod csr;
mod derive;
mod ends;
mod numbers;

pub use cache::{AdjacencyCache, AdjacencyKey, EdgePlaces, Neighborhood};
pub use csr::{Adjacency, Orientation};
pub use ends::{CancelFlag, DANGLING, EdgeEnds, EndColumns};
pub use numbers::Places;
