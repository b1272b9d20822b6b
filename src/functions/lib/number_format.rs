//! `to_char` and `to_number` of numbers with templates.

use crate::functions::signature::Def;

pub(super) const FUNCTIONS: &[Def] = &[];
