//! JSON text: reading it as PostgreSQL does, and writing Arrow structures as `jsonb`.

pub(crate) mod parse;
pub(crate) mod render;
