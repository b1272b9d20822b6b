//! The one integration test binary: each further one would link DataFusion again.

#[cfg(test)]
mod wire;
#[cfg(test)]
mod slt;
