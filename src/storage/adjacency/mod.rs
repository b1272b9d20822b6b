//! Adjacency lists of graph edges in compressed sparse rows, built from key columns and cached by table version.
//!
//! ```text
//! edge table ──resolve──► EdgeEnds            source[edge], destination[edge]: vertex positions
//!                            │
//!                            └─count and place──► Adjacency (out), Adjacency (in)
//!                                 offsets [V + 1] ──► neighbors [E], edges [E]
//! ```
//!
//! Positions are those of the table versions (see [`crate::storage::table`]) and are kept as `u32`: a table of more
//! than 4,294,967,294 rows cannot be an element table (`54000`).

mod cache;
mod csr;
mod ends;

pub use cache::{AdjacencyCache, AdjacencyKey};
pub use csr::{Adjacency, Orientation};
pub use ends::{CancelFlag, DANGLING, EdgeEnds, EndColumns};
