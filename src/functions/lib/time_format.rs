//! `to_char`, `to_date` and `to_timestamp` with templates.

use crate::functions::signature::Def;

pub(super) const FUNCTIONS: &[Def] = &[];
