//! The one integration test binary: each further one would link DataFusion again.

/// As in the server: what statements hold is counted.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: graphwire::types::Measured<std::alloc::System> =
    graphwire::types::Measured(std::alloc::System);

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod binary_text;
#[cfg(test)]
mod concurrency;
#[cfg(test)]
mod durability;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod label_rules;
#[cfg(test)]
mod load_csv;
#[cfg(test)]
mod model;
#[cfg(test)]
mod paging;
#[cfg(test)]
mod patterns;
#[cfg(test)]
mod plan;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod slt;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod wire;
