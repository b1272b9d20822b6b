//! SQL/PGQ, construct by construct.
