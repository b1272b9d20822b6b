//! Graph algorithms on a projected subgraph: vertices numbered from 0, edges as compressed sparse rows.
//!
//! Reading order: [`projection`] (the subgraph), [`parameters`], [`run`] (which algorithm, progress), then one file for
//! each family: [`centrality`], [`components`], [`search`], [`community`], [`louvain`], [`cohesion`].

mod centrality;
mod cohesion;
mod community;
mod components;
mod louvain;
mod parameters;
mod progress;
mod projection;
mod run;
mod search;
#[cfg(test)]
mod tests;

pub use parameters::Parameters;
pub use progress::{Progress, ProgressRow, running};
pub use projection::Projection;
pub use run::{Results, run};
