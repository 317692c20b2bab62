//! What a session has done before: settings, names, transactions, plans.

use super::*;

#[test]
fn settings_and_identity_are_followed() {
    let of = |text: &str| {
        let facts = last(text);
        (facts.class, facts.session[0].setting.clone(), facts.session[0].values.clone())
    };
    let told = |class, setting: &str, values: &[&str]| {
        (class, setting.to_owned(), values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(of("set search_path to a, \"b\""), told(Class::Session, "search_path", &["a", "b"]));
    assert_eq!(of("set search_path = 'a, b'"), told(Class::Session, "search_path", &["a, b"]));
    assert_eq!(of("SET app_context.user_id TO 'x'"), told(Class::Session, "app_context.user_id", &["x"]));
    assert_eq!(of("set query_group to default"), told(Class::Session, "query_group", &[]));
    assert_eq!(of("set session authorization bob"), told(Class::Dcl, "session_authorization", &["bob"]));
    assert_eq!(of("set role none"), told(Class::Dcl, "role", &["none"]));
    assert_eq!(of("reset role"), told(Class::Dcl, "role", &[]));
    assert_eq!(of("reset all"), told(Class::Session, "*", &[]));
    for text in [
        "grant select on t to bob",
        "alter user bob set search_path to x",
        "create role r",
        "alter default privileges in schema s grant all on tables to bob",
    ] {
        assert_eq!(last(text).class, Class::Dcl, "{text}");
    }
}

#[test]
fn names_follow_the_search_path_and_temporary_relations() {
    let reads = |text: &str| shown(&last(text).reads);
    assert_eq!(reads("set search_path to a, b; select * from t"), "a.t b.t");
    assert_eq!(reads("set search_path to a; reset search_path; select * from t"), "public.t");
    assert_eq!(reads("create temp table t (a int); select * from t"), "temp.t");
    assert_eq!(reads("create temp table t (a int); select * from public.t"), "public.t");
    assert_eq!(reads("create temp table t (a int); drop table t; select * from t"), "public.t");
    assert_eq!(reads("create temp table t (a int); discard all; select * from t"), "public.t");
    assert_eq!(
        reads("create temp table t (a int); alter table t rename to u; select * from t, u"),
        "public.t temp.u"
    );
    assert_eq!(reads("select * from pg_temp.t"), "temp.t");
    doubted("create temp view v as select * from orders.t; delete from v");
    doubted("create temp view v as select * from orders.t; alter table v rename to w; delete from w");
    doubted("create temp table t () inherits (p)");
    doubted("drop schema pg_temp_3 cascade");
    doubted("select \"pg_catalog.lower\"(1)");
    doubted("set search_path to s, pg_catalog");
    let writes = |text: &str| shown(&last(text).writes);
    assert_eq!(
        writes(
            "set search_path to s, pg_temp; create table t (a int); set search_path to orders; delete from t"
        ),
        "orders.t temp.t"
    );
    assert_eq!(
        writes("create temp table t (a int); set search_path to orders, pg_temp; delete from t"),
        "orders.t temp.t"
    );
    doubted("create temp table t (a int) on commit drop");
    doubted("insert into temp.t values (1)");
    doubted(&format!("select * from {}", "x".repeat(64)));
}

#[test]
fn transactions_undo_what_the_server_undoes() {
    let reads = |text: &str| shown(&last(text).reads);
    assert_eq!(reads("begin; set search_path to a; rollback; select * from t"), "public.t");
    assert_eq!(reads("begin; set search_path to a; commit; select * from t"), "a.t");
    assert_eq!(reads("begin; set local search_path to a; select * from t"), "a.t");
    assert_eq!(reads("begin; set local search_path to a; commit; select * from t"), "public.t");
    assert_eq!(
        reads("begin; savepoint s; create temp table t (a int); rollback to s; select * from t"),
        "public.t"
    );
    assert_eq!(
        reads("create temp table t (a int); commit; begin; drop table t; rollback; select * from t"),
        "temp.t"
    );
    assert_eq!(
        reads("begin; create temp table t (a int); truncate x; rollback; select * from t"),
        "public.t temp.t"
    );
    assert_eq!(
        reads("begin; rollback and chain; set search_path to a; rollback; select * from t"),
        "public.t"
    );
}

#[test]
fn a_failed_implicit_transaction_is_undone_and_a_settled_one_stays() {
    let mut scope = scope();
    let facts = last("set search_path to a");
    scope.apply(&facts).unwrap();
    scope.abort();
    assert_eq!(scope.search_path(), ["public"]);
    scope.apply(&facts).unwrap();
    scope.settle();
    scope.abort();
    assert_eq!(scope.search_path(), ["a"]);
    scope.apply(&last("begin")).unwrap();
    assert!(scope.in_block());
    scope.abort();
    assert!(scope.is_failed());
    scope.apply(&last("commit")).unwrap();
    assert!(!scope.in_block() && !scope.is_failed());
}

#[test]
fn a_scope_does_not_outgrow_its_bounds() {
    let many: String = (0..11).map(|n| format!("prepare p{n} as select 1;")).collect();
    refused(&many);
    let many: String = (0..11).map(|n| format!("create temp table t{n} (a int);")).collect();
    refused(&many);
}

#[test]
fn prepared_statements_and_cursors_are_judged_when_they_run() {
    check(
        "prepare x as delete from t; set search_path to a; execute x",
        Class::Write,
        "EXECUTE",
        ["", "a.t", "", ""],
    );
    check(
        "begin; declare c cursor with hold for select * from t; fetch 10 in c",
        Class::Read,
        "FETCH",
        ["public.t", "", "", ""],
    );
    check(
        "begin; declare c cursor for select * from t; fetch forward all from c",
        Class::Read,
        "FETCH",
        ["public.t", "", "", ""],
    );
    doubted("execute nothing");
    doubted("fetch 1 from nothing");
    doubted("begin; declare c cursor for select 1; commit; fetch 1 from c");
    doubted("prepare x as select 1; deallocate x; execute x");
}

#[test]
fn names_that_differ_in_case_are_not_taken_for_one_another() {
    let path = "set search_path to orders;";
    // PostgreSQL keeps "Daily" beside daily, Redshift folds both: each may be meant.
    let both = last(&format!("{path} create temp table \"Daily\" (a int); delete from daily"));
    assert_eq!(shown(&both.writes), "orders.daily temp.daily");
    let own = last(&format!("{path} create temp table \"Daily\" (a int); delete from \"Daily\""));
    assert_eq!(shown(&own.writes), "temp.daily");
    let kept =
        last(&format!("{path} create temp table daily (a int); drop table \"DAILY\"; delete from daily"));
    assert_eq!(shown(&kept.writes), "orders.daily temp.daily");
    let cte = last(&format!("{path} with \"Daily\" as (select 1) select * from daily"));
    assert_eq!(shown(&cte.reads), "orders.daily");
    check("drop table \"Daily\"", Class::Ddl, "DROP TABLE", ["", "", "", "public.daily"]);
    for doubtful in [
        "prepare \"A\" as select 1; prepare a as select 2",
        "prepare \"A\" as select 1; execute a",
        "begin; savepoint \"S\"; savepoint s",
        "begin; declare \"C\" cursor for select 1; fetch c",
        "delete from \"Orders\".t",
        "create table \"Sandbox\".t (a int)",
        "alter table t set schema \"Orders\"",
        "drop schema \"Orders\"",
        "set search_path to \"Orders\"",
        "set search_path to 'Orders'",
        "call orders.\"Refresh\"()",
        "select orders.\"F\"(1)",
    ] {
        doubted(doubtful);
    }
}

#[test]
fn only_relations_are_looked_for_among_the_temporary_ones() {
    for kind in ["function", "procedure", "aggregate", "domain", "collation", "statistics", "operator class"]
    {
        let of_class = if kind == "operator class" { " using btree" } else { "" };
        let dropped = last(&format!("create temp table f (a int); drop {kind} f{of_class}"));
        assert_eq!(shown(&dropped.alters), "public.f", "{kind}");
    }
    let commented = last("create temp table f (a int); comment on text search dictionary f is 'x'");
    assert_eq!(shown(&commented.alters), "public.f");
    // It may be gone with the column that owned it.
    assert_eq!(shown(&last("create temp sequence f; drop sequence f").alters), "public.f temp.f");
    assert_eq!(shown(&last("create temp sequence f; drop sequence pg_temp.f").alters), "temp.f");
    assert_eq!(shown(&last("select 1 from \"PG_CLASS\"").reads), "pg_catalog.pg_class public.pg_class");
}

#[test]
fn names_mean_the_database_in_use() {
    check("use other; delete from orders.t", Class::Write, "DELETE", ["", "other.orders.t", "", ""]);
    check("use other; select * from t, dev.a.b", Class::Read, "SELECT", ["a.b other.public.t", "", "", ""]);
    check("use other; reset use; delete from t", Class::Write, "DELETE", ["", "public.t", "", ""]);
    check("use other; use dev; delete from t", Class::Write, "DELETE", ["", "public.t", "", ""]);
    check(
        "use other; create temp table t (a int); delete from t",
        Class::Write,
        "DELETE",
        ["", "temp.t", "", ""],
    );
    check("use other; drop schema orders", Class::Ddl, "DROP SCHEMA", ["", "", "", "other.orders.*"]);
    doubted("begin; use other");
    refused("use other; reset all");
}

#[test]
fn what_only_looks_temporary_hides_no_table() {
    let hits = |text: &str| {
        let facts = last(&format!("{text}; set search_path to orders; delete from daily"));
        assert!(shown(&facts.writes).contains("orders.daily"), "{text}");
    };
    hits("create domain pg_temp.daily as int");
    hits("create collation pg_temp.daily from \"C\"");
    hits("create temp table t (a int); create temp sequence daily owned by t.a; drop table t");
    for doubtful in [
        "alter table if exists pg_temp.nosuch rename to daily",
        "create temp table p (a int); create temp table daily (a int); alter table daily inherit p",
        "create temp table p (a int) partition by list (a); create temp table daily (a int); \
         alter table p attach partition daily for values in (1)",
        "create temp table daily (a int); alter table daily of sandbox_orders.kind",
        "create table t (like orders.daily including all)",
        "prepare a123456789012345678901234567890123456789012345678901234567890123 as select 1",
    ] {
        doubted(doubtful);
    }
    check("drop table pg_temp_3.t", Class::Ddl, "DROP TABLE", ["", "", "", "pg_temp_3.t"]);
    check("update of as x set a = 1", Class::Write, "UPDATE", ["", "public.of", "", ""]);
    check("delete from approximate x", Class::Write, "DELETE", ["", "public.approximate", "", ""]);
    assert!(last("select schema.from(a) from t").functions.contains("schema.from"));
    refused("insert into x select into orders from t");
}

#[test]
fn a_plan_may_be_older_than_the_temporary_relation_before_it() {
    let path = "set search_path to orders; create temp table daily (a int);";
    let execute = |between: &str| {
        let text = format!("{path} prepare s as delete from daily; {between} execute s");
        shown(&last(&text).writes)
    };
    assert_eq!(execute(""), "temp.daily");
    assert_eq!(execute("create temp table other (a int);"), "temp.daily");
    assert_eq!(execute("drop table daily; create temp table daily (a int);"), "orders.daily temp.daily");
    doubted("create temp view v as select * from orders.daily; select * from v for update");
    for text in [
        "select g.lo_unlink from generate_series(1, 1) g",
        "select r.\"nextval\" from t r",
        "prepare p as select $1.nextval",
    ] {
        assert!(
            last(text).functions.iter().any(|name| ["lo_unlink", "nextval"].contains(&name.as_str())),
            "{text}"
        );
    }
    assert!(last("create statistics pg_temp.daily on a, b from t").creates.is_empty());
}
