//! Names for things that a statement makes without naming them.

/// Bytes a name may have (`NAMEDATALEN` less one).
const NAME_BYTES_MAX: usize = 63;

/// `table_column_label`, or with a number behind it the first of these that is not taken. The longer of the two names
/// is shortened until all fits, as PostgreSQL does.
pub(super) fn object_name(
    table: &str,
    column: &str,
    label: &str,
    is_taken: impl Fn(&str) -> bool,
) -> String {
    let mut label_now = label.to_owned();
    let mut number = 0;
    loop {
        let name = joined(table, column, &label_now);
        if !is_taken(&name) {
            return name;
        }
        number += 1;
        label_now = format!("{label}{number}");
    }
}

fn joined(table: &str, column: &str, label: &str) -> String {
    let (mut table, mut column) = (table, column);
    let marks = usize::from(!column.is_empty()) + usize::from(!label.is_empty());
    let room = NAME_BYTES_MAX.saturating_sub(label.len() + marks);
    while table.len() + column.len() > room {
        let longer = if table.len() > column.len() { &mut table } else { &mut column };
        let Some((at, _)) = longer.char_indices().next_back() else { break };
        *longer = longer.get(..at).unwrap_or("");
    }
    [table, column, label].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_joined_shortened_and_numbered() {
        assert_eq!(object_name("t", "id", "seq", |_| false), "t_id_seq");
        assert_eq!(object_name("t", "", "pkey", |name| name == "t_pkey"), "t_pkey1");
        let long = "a".repeat(63);
        let name = object_name(&long, "id", "seq", |_| false);
        assert_eq!(name, format!("{}_id_seq", "a".repeat(56)));
        let both = object_name(&long, &"b".repeat(63), "seq", |_| false);
        assert_eq!(both, format!("{}_{}_seq", "a".repeat(29), "b".repeat(29)));
    }
}
