//! Functions, procedures and `DO` blocks whose bodies are run statement by statement.
//!
//! ```text
//! plan ─ calls ─► each call is run, its rows put in its place ─► plan without calls
//!                   │
//!                   └─ run ─► steps ─► statement ─► pipeline, as a statement of the client's would be
//! ```
//!
//! * `frame` holds a call's variables; `cast` converts what is assigned to them.
//! * `names` finds variables in a statement of SQL and makes parameters of them; `statement` runs it.
//! * `block`, `step` and `loops` are PL/pgSQL; `raise` its messages; `give` what a call gives.
//! * `calls` and `call` are where plans and calls meet.
//!
//! Every statement of a body goes through the gate as the caller's own.

mod block;
mod call;
mod calls;
mod cast;
mod declare;
mod frame;
mod give;
mod loops;
mod names;
mod raise;
mod statement;
mod step;

pub(super) use call::run_block;
pub(super) use calls::settle;
