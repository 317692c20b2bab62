-- What must not change, as one text of `part=sum` lines; `near` is the session that has temporary things of its own.
-- Stable, so that all of it is of one snapshot: a session that has left may still commit.
CREATE SCHEMA watch;
CREATE FUNCTION watch.world(near oid) RETURNS text LANGUAGE plpgsql STABLE AS $watch$
DECLARE
    free oid[] := ARRAY(SELECT oid FROM pg_namespace
        WHERE nspname IN ('sandbox_orders', 'pg_toast') OR (nspname ~ '^pg_(toast_)?temp_' AND oid <> near));
    -- Objects of the analyst's own, whose comments and parts are free.
    own oid[] := ARRAY(
        SELECT oid FROM pg_class WHERE relnamespace = ANY (free)
        UNION ALL SELECT oid FROM pg_type WHERE typnamespace = ANY (free)
        UNION ALL SELECT oid FROM pg_constraint WHERE connamespace = ANY (free)
        UNION ALL SELECT oid FROM pg_statistic_ext WHERE stxnamespace = ANY (free)
        UNION ALL SELECT oid FROM pg_collation WHERE collnamespace = ANY (free));
    told text := '';
    part record;
    sum text;
BEGIN
    FOR part IN SELECT * FROM (VALUES
        ('schemas', 'SELECT oid, xmin FROM pg_namespace WHERE NOT oid = ANY ($1) OR nspname = ''sandbox_orders'''),
        ('relations', 'SELECT oid, xmin FROM pg_class WHERE NOT relnamespace = ANY ($1)'),
        ('columns', 'SELECT attrelid, attnum, xmin FROM pg_attribute WHERE attrelid >= 16384 AND NOT attrelid = ANY ($2)'),
        ('defaults', 'SELECT oid, xmin FROM pg_attrdef WHERE NOT adrelid = ANY ($2)'),
        ('constraints', 'SELECT oid, xmin FROM pg_constraint WHERE NOT connamespace = ANY ($1)'),
        ('indexes', 'SELECT indexrelid, xmin FROM pg_index WHERE indrelid >= 16384 AND NOT indrelid = ANY ($2) AND indrelid NOT IN (SELECT oid FROM pg_class WHERE relkind = ''t'')'),
        ('triggers', 'SELECT oid, xmin FROM pg_trigger WHERE NOT tgrelid = ANY ($2)'),
        ('rules', 'SELECT oid, xmin FROM pg_rewrite WHERE NOT ev_class = ANY ($2)'),
        ('policies', 'SELECT oid, xmin FROM pg_policy WHERE NOT polrelid = ANY ($2)'),
        ('heirs', 'SELECT inhrelid, inhparent, xmin FROM pg_inherits WHERE NOT (inhrelid = ANY ($2) AND inhparent = ANY ($2))'),
        ('statistics', 'SELECT oid, xmin FROM pg_statistic_ext WHERE NOT stxnamespace = ANY ($1)'),
        ('sequences', 'SELECT s.seqrelid, s.xmin, pg_sequence_last_value(s.seqrelid) FROM pg_sequence s WHERE NOT seqrelid = ANY ($2) AND seqrelid NOT IN (SELECT oid FROM pg_class WHERE relpersistence = ''t'')'),
        ('types', 'SELECT oid, xmin FROM pg_type WHERE NOT typnamespace = ANY ($1)'),
        ('labels', 'SELECT oid, xmin FROM pg_enum WHERE NOT enumtypid = ANY ($2)'),
        ('functions', 'SELECT oid, xmin FROM pg_proc WHERE NOT pronamespace = ANY (array_remove($1, (SELECT oid FROM pg_namespace WHERE nspname = ''sandbox_orders'')))'),
        ('aggregates', 'SELECT aggfnoid::oid, xmin FROM pg_aggregate'),
        ('operators', 'SELECT oid, xmin FROM pg_operator UNION ALL SELECT oid, xmin FROM pg_opclass UNION ALL SELECT oid, xmin FROM pg_opfamily UNION ALL SELECT oid, xmin FROM pg_amop UNION ALL SELECT oid, xmin FROM pg_amproc'),
        ('casts', 'SELECT oid, xmin FROM pg_cast UNION ALL SELECT oid, xmin FROM pg_transform'),
        ('collations', 'SELECT oid, xmin FROM pg_collation WHERE NOT collnamespace = ANY ($1)'),
        ('conversions', 'SELECT oid, xmin FROM pg_conversion'),
        ('text search', 'SELECT oid, xmin FROM pg_ts_config UNION ALL SELECT oid, xmin FROM pg_ts_dict UNION ALL SELECT oid, xmin FROM pg_ts_parser UNION ALL SELECT oid, xmin FROM pg_ts_template UNION ALL SELECT mapcfg, xmin FROM pg_ts_config_map'),
        ('code', 'SELECT oid, xmin FROM pg_language UNION ALL SELECT oid, xmin FROM pg_extension UNION ALL SELECT oid, xmin FROM pg_event_trigger UNION ALL SELECT oid, xmin FROM pg_am'),
        ('foreign', 'SELECT oid, xmin FROM pg_foreign_data_wrapper UNION ALL SELECT oid, xmin FROM pg_foreign_server UNION ALL SELECT oid, xmin FROM pg_user_mapping UNION ALL SELECT ftrelid, xmin FROM pg_foreign_table'),
        ('publications', 'SELECT oid, xmin FROM pg_publication UNION ALL SELECT oid, xmin FROM pg_publication_rel UNION ALL SELECT oid, xmin FROM pg_publication_namespace UNION ALL SELECT oid, xmin FROM pg_subscription'),
        ('default rights', 'SELECT oid, xmin FROM pg_default_acl'),
        ('comments', 'SELECT objoid, objsubid, xmin FROM pg_description WHERE NOT objoid = ANY ($2)'),
        ('security labels', 'SELECT objoid, xmin FROM pg_seclabel UNION ALL SELECT objoid, xmin FROM pg_shseclabel'),
        ('large objects', 'SELECT oid, xmin, 0 FROM pg_largeobject_metadata UNION ALL SELECT loid, xmin, pageno FROM pg_largeobject'),
        ('roles', 'SELECT oid, xmin, 0 FROM pg_authid UNION ALL SELECT roleid, xmin, member FROM pg_auth_members UNION ALL SELECT setdatabase, xmin, setrole FROM pg_db_role_setting UNION ALL SELECT oid, xmin, 0 FROM pg_parameter_acl'),
        ('databases', 'SELECT oid, xmin, 0 FROM pg_database UNION ALL SELECT oid, xmin, 0 FROM pg_tablespace UNION ALL SELECT objoid, xmin, 0 FROM pg_shdescription'),
        ('replication', 'SELECT slot_name::text FROM pg_replication_slots UNION ALL SELECT roname FROM pg_replication_origin UNION ALL SELECT gid FROM pg_prepared_xacts'),
        ('settings', 'SELECT name, setting, source FROM pg_settings WHERE name NOT LIKE ''transaction%'' UNION ALL SELECT name, setting, sourcefile FROM pg_file_settings'),
        ('files', 'SELECT f, CASE WHEN f ~ ''conf$'' THEN md5(pg_read_file(f)) END FROM pg_ls_dir(''.'') f WHERE f <> ''core'''),
        ('canary', 'SELECT pg_read_file(''canary'')'),
        ('neighbours', 'SELECT pid, 0 FROM pg_stat_activity WHERE application_name = ''neighbour'' UNION ALL SELECT 0, count(*) FROM pg_stat_activity WHERE backend_type = ''logical replication worker'''),
        ('locks', 'SELECT relation, mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE l.pid <> pg_backend_pid() AND mode <> ''AccessShareLock'' AND c.oid >= 16384 AND NOT c.relnamespace = ANY ($1) AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) UNION ALL SELECT classid, mode FROM pg_locks WHERE locktype = ''advisory''')
        ) AS parts (name, question)
    LOOP
        EXECUTE format('SELECT count(*) || '':'' || coalesce(sum(hashtextextended(r::text, 0)), 0) FROM (%s) r', part.question)
            INTO sum USING free, own;
        told := told || part.name || '=' || sum || E'\n';
    END LOOP;
    FOR part IN SELECT c.oid::regclass AS name FROM pg_class c
        WHERE relkind IN ('r', 'm') AND oid >= 16384 AND relpersistence <> 't' AND NOT relnamespace = ANY (free) ORDER BY 1
    LOOP
        EXECUTE format('SELECT md5(coalesce(string_agg(r::text, E''\n'' ORDER BY r::text), '''')) FROM ONLY %s r', part.name) INTO sum;
        told := told || 'rows of ' || part.name || '=' || sum || E'\n';
    END LOOP;
    RETURN told;
END $watch$;
