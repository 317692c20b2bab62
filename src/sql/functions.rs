//! Which built-in functions only compute, and which act on the server or its surroundings.

use std::collections::BTreeSet;
use std::sync::LazyLock;

/// What calling a function by this name can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionRisk {
    /// A built-in that only computes or reads the catalog.
    Harmless,
    /// No built-in: a user's function, whose body is not seen.
    Unknown,
    /// Acts beyond its result; the text says how, for the client.
    Effect(&'static str),
}

// PostgreSQL 15's catalog less its effects, and the built-ins of Redshift's documentation.
const LISTS: [&str; 4] = [
    include_str!("functions/a_to_i.txt"),
    include_str!("functions/j_to_o.txt"),
    include_str!("functions/p_to_s.txt"),
    include_str!("functions/t_to_z.txt"),
];

static HARMLESS: LazyLock<BTreeSet<&'static str>> =
    LazyLock::new(|| LISTS.iter().flat_map(|list| list.split_ascii_whitespace()).collect());

/// Families by the start of their names.
const PREFIXES: &[(&str, &str)] = &[
    ("dblink", "opens a connection of its own"),
    ("query_to_xml", "runs SQL from a string"),
    ("cursor_to_xml", "reads from a cursor by name"),
    ("table_to_xml", "reads a relation named in a string"),
    ("schema_to_xml", "reads relations named in a string"),
    ("database_to_xml", "reads relations of the whole database"),
    ("pg_read_", "reads files of the server"),
    ("pg_ls_", "lists files of the server"),
    ("pg_file_", "writes files of the server"),
    ("pg_sleep", "holds a connection without work"),
    ("pg_logical_", "reads or writes the replication log"),
    ("pg_replication_", "changes replication"),
    ("pg_advisory_lock", "takes a lock"),
    ("pg_advisory_xact_lock", "takes a lock"),
    ("pg_try_advisory_", "takes a lock"),
    ("pg_stat_reset", "clears statistics"),
    ("pg_wal_replay_", "changes recovery"),
    ("pg_backup_", "changes backup state"),
    ("pg_log_", "writes the server's log"),
    ("pg_rotate_logfile", "rotates the server's log"),
    ("binary_upgrade_", "changes the catalog"),
];

const NAMES: &[(&str, &str)] = &[
    ("pg_terminate_backend", "ends another session"),
    ("pg_cancel_backend", "cancels another session's statement"),
    ("set_config", "changes a setting where it cannot be followed"),
    ("lowrite", "writes large objects"),
    ("lo_close", "reads or writes large objects"),
    ("lo_creat", "writes large objects"),
    ("lo_create", "writes large objects"),
    ("lo_export", "writes files of the server"),
    ("lo_from_bytea", "writes large objects"),
    ("lo_get", "reads large objects"),
    ("lo_import", "reads files of the server"),
    ("lo_lseek", "reads or writes large objects"),
    ("lo_lseek64", "reads or writes large objects"),
    ("lo_open", "reads or writes large objects"),
    ("lo_put", "writes large objects"),
    ("lo_tell", "reads or writes large objects"),
    ("lo_tell64", "reads or writes large objects"),
    ("lo_truncate", "writes large objects"),
    ("lo_truncate64", "writes large objects"),
    ("lo_unlink", "writes large objects"),
    ("brin_desummarize_range", "changes an index"),
    ("brin_summarize_new_values", "changes an index"),
    ("brin_summarize_range", "changes an index"),
    ("gin_clean_pending_list", "changes an index"),
    ("change_query_priority", "changes the priority of others' work"),
    ("change_session_priority", "changes the priority of others' work"),
    ("change_user_priority", "changes the priority of others' work"),
    ("loread", "reads large objects"),
    ("pg_stat_file", "reads files of the server"),
    ("pg_current_logfile", "reads files of the server"),
    ("pg_hba_file_rules", "reads files of the server"),
    ("pg_ident_file_mappings", "reads files of the server"),
    ("pg_show_all_file_settings", "reads files of the server"),
    ("nextval", "changes a sequence"),
    ("setval", "changes a sequence"),
    ("pg_notify", "sends a notification to other sessions"),
    ("pg_reload_conf", "reloads the server's configuration"),
    ("pg_switch_wal", "changes the write-ahead log"),
    ("pg_create_restore_point", "changes the write-ahead log"),
    ("pg_promote", "promotes a standby"),
    ("pg_export_snapshot", "shares a snapshot with other sessions"),
    ("txid_current", "assigns a transaction id"),
    ("pg_current_xact_id", "assigns a transaction id"),
    ("ts_stat", "runs SQL from a string"),
    ("ts_rewrite", "may run SQL from a string"),
    ("pg_import_system_collations", "changes the catalog"),
    ("pg_extension_config_dump", "changes the catalog"),
    ("pg_nextoid", "changes the catalog"),
    ("pg_stop_making_pinned_objects", "changes the catalog"),
    ("pg_create_physical_replication_slot", "changes replication"),
    ("pg_create_logical_replication_slot", "changes replication"),
    ("pg_copy_physical_replication_slot", "changes replication"),
    ("pg_copy_logical_replication_slot", "changes replication"),
    ("pg_drop_replication_slot", "changes replication"),
    ("reboot_cluster", "restarts the warehouse"),
];

/// Without a schema, or in one of the server's.
fn is_system(name: &str, bare: &str) -> bool {
    let inner = name.strip_prefix("pg_catalog.").or_else(|| name.strip_prefix("information_schema."));
    inner.unwrap_or(name) == bare
}

/// What a call by this folded name can do. A schema other than `pg_catalog` makes it unknown, but
/// never hides a name that acts.
pub fn risk(name: &str) -> FunctionRisk {
    let bare = name.rsplit('.').next().unwrap_or(name);
    let by_prefix = PREFIXES.iter().find(|(prefix, _)| bare.starts_with(prefix));
    let known = NAMES.iter().find(|(known, _)| *known == bare).or(by_prefix);
    match known {
        Some((_, reason)) => FunctionRisk::Effect(reason),
        None if is_system(name, bare) && HARMLESS.contains(bare) => FunctionRisk::Harmless,
        None => FunctionRisk::Unknown,
    }
}
