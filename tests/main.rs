//! The one integration test binary: each further one would link DataFusion again.

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod durability;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod paging;
#[cfg(test)]
mod slt;
#[cfg(test)]
mod wire;
