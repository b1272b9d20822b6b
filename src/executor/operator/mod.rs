//! Physical operators, one file each.

mod scan_exec;
mod table_write_exec;

pub use scan_exec::ScanExec;
pub use table_write_exec::TableWriteExec;
