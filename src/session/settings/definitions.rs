//! The settings that change something.

use super::definition::Kind::{
    Bool, DateStyle, Encoding, Enum, Int, Milliseconds, Path, Text, TimeZone,
};
use super::definition::{Definition, FIXED, FIXED_REPORTED, REPORTED, USER, settings};

/// PostgreSQL's version that graphwire answers as.
pub const SERVER_VERSION_NUM: &str = "150018";

/// `SHOW server_version`.
pub const SERVER_VERSION: &str = concat!("15.18 (graphwire ", env!("CARGO_PKG_VERSION"), ")");

const LEVELS: &[&str] = &[
    "debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "info", "warning", "error",
];

const ISOLATION: &[&str] =
    &["read uncommitted", "read committed", "repeatable read", "serializable"];

/// All settings, by name.
pub const DEFINITIONS: &[Definition] = settings! {
    REPORTED "application_name", "", Text, "Sets the application name to be reported in statistics.";
    USER "bytea_output", "hex", Enum(&["escape", "hex"]), "Sets the output format for bytea.";
    USER "check_function_bodies", "on", Bool, "Checks function bodies when functions are made.";
    REPORTED "client_encoding", "UTF8", Encoding, "Sets the client's character set encoding.";
    USER "client_min_messages", "notice", Enum(LEVELS), "Sets the message levels that are sent to the client.";
    USER "cypher_temporal_output", "native", Enum(&["native", "iso"]), "How Cypher's temporal values are sent.";
    REPORTED "DateStyle", "ISO, MDY", DateStyle, "Sets the display format for date and time values.";
    FIXED "data_checksums", "off", Text, "Shows whether data checksums are turned on for this cluster.";
    USER "deadlock_timeout", "1s", Milliseconds, "Sets the time to wait on a lock before checking for deadlock.";
    USER "default_table_access_method", "heap", Enum(&["heap"]), "Tables are stored as Arrow columns under this name.";
    USER "default_tablespace", "", Enum(&["", "pg_default"]), "There is one place for tables and indexes.";
    USER "default_transaction_deferrable", "off", Bool, "Sets the default deferrable status of new transactions.";
    USER "default_transaction_isolation", "read committed", Enum(ISOLATION), "Sets the isolation level of each new transaction.";
    REPORTED "default_transaction_read_only", "off", Bool, "Sets the default read-only status of new transactions.";
    USER "enable_decorrelation", "on", Bool, "Turns correlated subqueries into joins where they can be; else each runs for every distinct outer row.";
    USER "extra_float_digits", "1", Int(-15, 3), "Sets the number of digits displayed for floating-point values.";
    USER "graph_path", "", Text, "The property graph of bare Cypher statements.";
    // SET is carried out where sessions are: an operator enters another tenant.
    FIXED "graphwire.tenant", "system", Text, "Shows the tenant the session is in.";
    USER "idle_in_transaction_session_timeout", "0", Milliseconds, "Sets the maximum allowed idle time between queries, when in a transaction.";
    USER "idle_session_timeout", "0", Milliseconds, "Sets the maximum allowed idle time between queries, when not in a transaction.";
    FIXED_REPORTED "in_hot_standby", "off", Text, "Shows whether hot standby is currently active.";
    FIXED_REPORTED "integer_datetimes", "on", Text, "Shows whether datetimes are integer based.";
    REPORTED "IntervalStyle", "postgres", Enum(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"]), "Sets the display format for interval values.";
    FIXED_REPORTED "is_superuser", "off", Text, "Shows whether the current user is a superuser.";
    USER "jit", "off", Enum(&["off"]), "There is no JIT compiler to turn on.";
    FIXED "lc_collate", "C", Text, "Shows the collation order locale.";
    FIXED "lc_ctype", "C", Text, "Shows the character classification and case conversion locale.";
    USER "lc_messages", "C", Enum(&["C", "en_US.UTF-8", ""]), "Messages are in English.";
    USER "lc_monetary", "C", Enum(&["C", "en_US.UTF-8", ""]), "Sets the locale for formatting monetary amounts.";
    USER "lc_numeric", "C", Enum(&["C", "en_US.UTF-8", ""]), "Sets the locale for formatting numbers.";
    USER "lc_time", "C", Enum(&["C", "en_US.UTF-8", ""]), "Sets the locale for formatting dates.";
    USER "lock_timeout", "0", Milliseconds, "Sets the maximum allowed duration of any wait for a lock.";
    FIXED "max_connections", "1000", Text, "Sets the maximum number of concurrent connections.";
    FIXED "max_identifier_length", "63", Text, "Shows the maximum identifier length.";
    FIXED "max_index_keys", "32", Text, "Shows the maximum number of index keys.";
    USER "query_language", "auto", Enum(&["auto", "sql", "cypher"]), "Which language statements are read in.";
    USER "role", "none", Text, "Sets the current role.";
    USER "row_security", "on", Bool, "Enables row security.";
    USER "graphwire.row_labels", "", Text, "Labels of rows that the role may see, as a superuser gave them.";
    USER "search_path", "\"$user\", public", Path, "Sets the schema search order for names that are not schema-qualified.";
    FIXED_REPORTED "server_encoding", "UTF8", Text, "Shows the server (database) character set encoding.";
    FIXED_REPORTED "server_version", SERVER_VERSION, Text, "Shows the server version.";
    FIXED "server_version_num", SERVER_VERSION_NUM, Text, "Shows the server version as an integer.";
    FIXED_REPORTED "session_authorization", "", Text, "Shows the session user name.";
    REPORTED "standard_conforming_strings", "on", Enum(&["on"]), "Causes '...' strings to treat backslashes literally.";
    USER "statement_timeout", "0", Milliseconds, "Sets the maximum allowed duration of any statement.";
    USER "synchronize_seqscans", "on", Bool, "Accepted for dumps; scans are not synchronized.";
    USER "synchronous_commit", "on", Enum(&["on", "off", "local", "remote_write", "remote_apply"]), "Sets whether COMMIT waits until the log is on the disk.";
    REPORTED "TimeZone", "Etc/UTC", TimeZone, "Sets the time zone for displaying and interpreting time stamps.";
    USER "transaction_timeout", "0", Milliseconds, "Sets the maximum allowed duration of any transaction within a session.";
    USER "transaction_isolation", "read committed", Enum(ISOLATION), "Shows the current transaction's isolation level.";
    USER "transaction_read_only", "off", Bool, "Shows the current transaction's read-only status.";
    USER "transaction_deferrable", "off", Bool, "Whether to defer a read-only serializable transaction until it can be executed with no possible serialization failures.";
    USER "xmlbinary", "base64", Enum(&["base64", "hex"]), "There is no type xml.";
    USER "xmloption", "content", Enum(&["content", "document"]), "There is no type xml.";
};
