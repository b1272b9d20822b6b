//! `pg_settings`: the session's settings.

use super::batch::{Rows, Value, row};
use super::rows::{Source, SystemRowsError};

pub(super) fn rows(source: &Source<'_>, out: &mut Rows) -> Result<(), SystemRowsError> {
    for setting in source.session.settings() {
        row!(out,
            name: setting.name,
            setting: setting.setting,
            unit: setting.unit,
            category: setting.category,
            short_desc: setting.short_desc,
            extra_desc: Value::Null,
            context: setting.context,
            vartype: setting.vartype,
            source: setting.source,
            min_val: setting.min_val,
            max_val: setting.max_val,
            enumvals: setting.enumvals,
            boot_val: setting.boot_val,
            reset_val: setting.reset_val,
            // Which file set it is for the server's operator to know.
            sourcefile: Value::Null,
            sourceline: Value::Null,
            pending_restart: false,
        );
    }
    Ok(())
}
