//! Settings of each session of ours. A tenant that has made itself an administrator can set any
//! variable for all later sessions: a session of ours must neither miss rows, nor be refused, nor
//! wait for hours because of it. So each sets its values first, and nothing is set to DEFAULT
//! later, which would be the tenant's value.

use crate::limits::READING_MAX_SECONDS;

/// Without NO_AUTO_CREATE_USER a grant to a user that is gone creates one without a password.
pub const SQL_MODE: &str = "NO_ENGINE_SUBSTITUTION,NO_AUTO_CREATE_USER";

/// Returns the statements that begin a session. Each is shorter than 1,024 bytes, the smallest
/// packet that a tenant can limit all sessions to. The session is idle for as long as the cluster
/// is awake; its statements end by themselves before we give them up.
pub fn first_statements() -> [String; 2] {
    let bounds = format!(
        "SET SESSION max_statement_time={READING_MAX_SECONDS}, \
         lock_wait_timeout={READING_MAX_SECONDS}, innodb_lock_wait_timeout={READING_MAX_SECONDS}, \
         wait_timeout=31536000, net_read_timeout=60, net_write_timeout=60, sql_mode='{SQL_MODE}', \
         autocommit=1, tx_read_only=0, tx_isolation='REPEATABLE-READ', completion_type=NO_CHAIN, \
         lc_messages='en_US', sql_if_exists=0"
    );
    // `use_stat_tables`: the engine crashes on a view in the place of a table of statistics.
    let reading = "SET SESSION sql_select_limit=18446744073709551615, \
         max_join_size=18446744073709551615, sql_big_selects=1, max_sort_length=1024, \
         sort_buffer_size=2097152, join_buffer_size=262144, read_buffer_size=131072, \
         read_rnd_buffer_size=262144, tmp_table_size=16777216, max_heap_table_size=16777216, \
         tmp_disk_table_size=18446744073709551615, big_tables=0, sql_buffer_result=0, \
         use_stat_tables=NEVER, sql_auto_is_null=0, optimizer_switch='default', \
         optimizer_search_depth=62, system_versioning_asof=DEFAULT, \
         character_set_client=utf8mb4, character_set_results=utf8mb4, \
         collation_connection=utf8mb4_general_ci, profiling=0, query_cache_type=0";
    [bounds, reading.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_statements_fit_into_the_smallest_packet() {
        for sql in first_statements() {
            assert!(sql.len() < 1000, "{} bytes", sql.len());
            assert!(!sql.contains("  "), "{sql}");
        }
    }
}
