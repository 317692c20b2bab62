//! What is asked for a snapshot, in the words of each server.
//!
//! Everything is named with its schema, and the session's search path holds `pg_catalog` alone: what
//! users make cannot stand in for what is asked (CVE-2025-12819).

/// The questions of one server, each with the fields that [`super::rows::Rows`] takes.
#[derive(Debug)]
pub(super) struct Questions {
    /// One moment for all that is read.
    pub begin: &'static str,
    /// Schema, name, kind, owner.
    pub relations: &'static str,
    /// Schema, name, rows and pages of tables whose plan nothing else makes larger.
    pub sizes: Option<&'static str>,
    /// Schema, relation, column, in order.
    pub columns: &'static str,
    /// Schema and name of what depends, schema and name of what it depends on, whether it reads it.
    pub lineage: &'static str,
    /// Schema, name, owner, language, volatility, whether it runs with its owner's rights.
    pub functions: &'static str,
    /// Schema, name, definition.
    pub late_binding: Option<&'static str>,
    /// Asked when all else is known, since what they ask lies beyond the warehouse.
    pub outside: Option<Outside>,
}

#[derive(Debug)]
pub(super) struct Outside {
    /// Schema, relation, column, in order.
    pub view_columns: &'static str,
    /// Schema, name, kind, owner.
    pub tables: &'static str,
    /// Schema, relation, column, in order.
    pub columns: &'static str,
}

impl Questions {
    /// Redshift calls itself PostgreSQL 8.0.2.
    pub(super) fn of(server_version: &str) -> &'static Self {
        if server_version.starts_with("8.0.") { &REDSHIFT } else { &POSTGRESQL }
    }
}

static POSTGRESQL: Questions = Questions {
    begin: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    relations: "SELECT n.nspname, c.relname, c.relkind, pg_catalog.pg_get_userbyid(c.relowner) \
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
        WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'",
    // The planner's own reckoning: the file's pages as they are, with as many rows on each as when it was
    // last analyzed, or as fit. It takes ten pages for a table that is new.
    sizes: Some(
        "SELECT n.nspname, c.relname, pg_catalog.ceil(CASE WHEN c.reltuples > 0 AND c.relpages > 0 \
          THEN c.reltuples::pg_catalog.float8 / c.relpages * p.pages ELSE p.pages * 291 END)::pg_catalog.int8, \
          p.pages FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace, \
          LATERAL (SELECT GREATEST(10, pg_catalog.pg_relation_size(c.oid) \
            / pg_catalog.current_setting('block_size')::pg_catalog.int8) AS pages) p \
        WHERE c.relkind = 'r' AND NOT c.relhassubclass AND NOT c.relrowsecurity \
        AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'",
    ),
    columns: "SELECT n.nspname, c.relname, a.attname FROM pg_catalog.pg_attribute a \
        JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
        WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
        AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' \
        ORDER BY a.attrelid, a.attnum",
    // A view reads by its rule; all else hangs on others by a part of itself, or by its columns' row types.
    lineage: "WITH part AS ( \
          SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid AS class, oid, oid AS relation \
            FROM pg_catalog.pg_class \
          UNION ALL SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass, oid, ev_class \
            FROM pg_catalog.pg_rewrite \
          UNION ALL SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass, oid, adrelid \
            FROM pg_catalog.pg_attrdef \
          UNION ALL SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, oid, conrelid \
            FROM pg_catalog.pg_constraint \
          UNION ALL SELECT 'pg_catalog.pg_trigger'::pg_catalog.regclass, oid, tgrelid \
            FROM pg_catalog.pg_trigger \
          UNION ALL SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass, oid, polrelid \
            FROM pg_catalog.pg_policy), \
        base AS ( \
          SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid AS class, oid, oid AS relation \
            FROM pg_catalog.pg_class \
          UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, oid, typrelid \
            FROM pg_catalog.pg_type WHERE typrelid <> 0 \
          UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, e.typrelid \
            FROM pg_catalog.pg_type t JOIN pg_catalog.pg_type e ON e.oid = t.typelem WHERE e.typrelid <> 0) \
        SELECT DISTINCT n.nspname, c.relname, bn.nspname, b.relname, \
          d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND c.relkind IN ('v', 'm') \
        FROM pg_catalog.pg_depend d \
        JOIN part ON part.class = d.classid AND part.oid = d.objid \
        JOIN pg_catalog.pg_class c ON c.oid = part.relation \
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
        JOIN base ON base.class = d.refclassid AND base.oid = d.refobjid \
        JOIN pg_catalog.pg_class b ON b.oid = base.relation \
        JOIN pg_catalog.pg_namespace bn ON bn.oid = b.relnamespace \
        WHERE c.oid <> b.oid AND c.relkind NOT IN ('i', 'I', 't') \
        AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'",
    // An aggregate is called immutable whatever its parts are, and a procedure runs statements.
    functions: "SELECT n.nspname, p.proname, pg_catalog.pg_get_userbyid(p.proowner), l.lanname, \
          CASE WHEN p.prokind IN ('f', 'w') THEN p.provolatile ELSE 'v' END, p.prosecdef \
        FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
        JOIN pg_catalog.pg_language l ON l.oid = p.prolang \
        WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' \
        UNION ALL SELECT n.nspname, o.oprname, pg_catalog.pg_get_userbyid(o.oprowner), \
          'operator'::pg_catalog.name, 'v'::pg_catalog.\"char\", false \
        FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace \
        WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' \
        UNION ALL SELECT n.nspname, t.typname, pg_catalog.pg_get_userbyid(t.typowner), \
          'type'::pg_catalog.name, 'v'::pg_catalog.\"char\", false \
        FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace \
        WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND ( \
          t.typtype = 'd' AND (t.typdefault IS NOT NULL \
            OR EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid)) \
          OR EXISTS (SELECT FROM pg_catalog.pg_cast c WHERE c.castfunc <> 0 \
            AND (c.castsource = t.oid OR c.casttarget = t.oid)))",
    late_binding: None,
    outside: None,
};

static REDSHIFT: Questions = Questions {
    begin: "BEGIN READ ONLY",
    relations: POSTGRESQL.relations,
    // Its planner counts otherwise: joins cost by how rows travel, sorts by a trillion.
    sizes: None,
    columns: POSTGRESQL.columns,
    lineage: "SELECT DISTINCT n.nspname, c.relname, bn.nspname, b.relname, true \
        FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid \
        JOIN pg_catalog.pg_class c ON c.oid = r.ev_class \
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
        JOIN pg_catalog.pg_class b ON b.oid = d.refobjid \
        JOIN pg_catalog.pg_namespace bn ON bn.oid = b.relnamespace \
        WHERE c.oid <> b.oid AND c.relkind = 'v' AND n.nspname !~ '^pg_' \
        UNION SELECT n.nspname, c.relname, bn.nspname, b.relname, false \
        FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid \
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
        JOIN pg_catalog.pg_class b ON b.oid = k.confrelid \
        JOIN pg_catalog.pg_namespace bn ON bn.oid = b.relnamespace \
        WHERE k.contype = 'f' AND c.oid <> b.oid AND n.nspname !~ '^pg_'",
    functions: "SELECT n.nspname, p.proname, pg_catalog.pg_get_userbyid(p.proowner), l.lanname, \
          CASE WHEN p.proisagg THEN 'v' ELSE p.provolatile END, p.prosecdef \
        FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
        JOIN pg_catalog.pg_language l ON l.oid = p.prolang \
        WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'",
    // A view without columns of its own is bound late: its definition is its whole CREATE VIEW.
    late_binding: Some(
        "SELECT n.nspname, c.relname, pg_catalog.pg_get_viewdef(c.oid) \
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
        WHERE c.relkind = 'v' AND c.relnatts = 0 \
        AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'",
    ),
    outside: Some(Outside {
        view_columns: "SELECT view_schema, view_name, col_name FROM pg_catalog.pg_get_late_binding_view_cols() \
            cols(view_schema name, view_name name, col_name name, col_type varchar, col_num int) \
            ORDER BY view_schema, view_name, col_num",
        tables: "SELECT schemaname, tablename, 'f', '' FROM pg_catalog.svv_external_tables",
        columns: "SELECT schemaname, tablename, columnname FROM pg_catalog.svv_external_columns \
            ORDER BY schemaname, tablename, columnnum",
    }),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_known_by_its_version() {
        assert!(Questions::of("8.0.2").late_binding.is_some());
        assert!(Questions::of("15.18 (Debian 15.18-0+deb12u1)").late_binding.is_none());
        assert!(Questions::of("").late_binding.is_none());
    }

    #[test]
    fn every_relation_is_asked_for_with_its_schema() {
        for questions in [&POSTGRESQL, &REDSHIFT] {
            let texts = [questions.relations, questions.columns, questions.lineage, questions.functions];
            for text in texts {
                for word in ["FROM ", "JOIN "] {
                    for behind in text.split(word).skip(1) {
                        let bare = ["part", "base"].iter().any(|name| behind.starts_with(name));
                        assert!(bare || behind.starts_with("pg_catalog."), "{behind}");
                    }
                }
            }
        }
    }
}
