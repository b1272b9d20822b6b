//! The one integration test binary: each further one would link DataFusion again.

#[cfg(test)]
mod slt;
#[cfg(test)]
mod wire;
