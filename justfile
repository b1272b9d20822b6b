# The commands of the project, for those who like `just`; nothing needs it.

# Formatting and lints, as CI runs them.
check:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings

# The README's test command.
test:
    cargo test
    compat-tests/run all

# One sqllogictest folder or file: just slt cypher
slt filter="":
    SLT_FILTER={{filter}} cargo test --test main slt

# tests/slt/pg_compat against PostgreSQL 15, from which its answers come.
slt-postgres *files:
    python3 tests/slt/pg_check.py {{files}}

# openCypher scenarios against a debug server; see .ci/tck.
tck:
    .ci/tck

# Clients: all of them, or those named.
compat *names="all":
    compat-tests/run {{names}}

# Figures beside PostgreSQL 15 (release build).
bench:
    benches/million_rows
    benches/ten_long_queries

demo:
    cargo run --release -- demo
