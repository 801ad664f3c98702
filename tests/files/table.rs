//! The table file holds the documented rows: none missing, none extra, none altered.

use stepup::table::{Row, Table};

#[test]
fn the_table_is_the_documented_list_of_rows() {
    let text = include_str!("../../scenarios/tables/npm-docs-2022-08.yaml");
    let table: Table = stepup::yaml::parse("npm-docs-2022-08.yaml", text).expect("the table parses");
    let line = |mode: &str, row: &Row| format!("{mode} | {} | {}", row.label, row.command);
    let rows: Vec<String> = (table.auth_and_writes.iter().map(|row| line("auth-and-writes", row)))
        .chain(table.auth_only.iter().map(|row| line("auth-only", row)))
        .collect();
    let documented: Vec<&str> = include_str!("../../fixtures/npm-docs-2022-08.rows.txt").lines().collect();
    assert_eq!(rows, documented);
    assert_eq!((table.auth_and_writes.len(), table.auth_only.len()), (12, 6));
}
