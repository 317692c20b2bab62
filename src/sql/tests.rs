use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::catalog::{Catalog, FunctionEntry, RelationEntry, RelationKind, Snapshot, Volatility};

fn bounds() -> TextBounds {
    TextBounds { bytes_max: 4 << 20, depth_max: 100, ..TextBounds::default() }
}

fn scope_bounds() -> ScopeBounds {
    ScopeBounds { prepared_max: 10, cursors_max: 10, temp_relations_max: 10, savepoints_max: 10 }
}

fn scope() -> Scope {
    Scope::new("svc", "dev", &["public".to_owned()], scope_bounds())
}

fn all(text: &str) -> Vec<Facts> {
    match understand(text, &scope(), &bounds()) {
        Ok(statements) => statements.iter().map(|statement| Facts::clone(&statement.facts)).collect(),
        Err(error) => panic!("{text}: {error}"),
    }
}

fn last(text: &str) -> Facts {
    all(text).pop().unwrap()
}

fn shown(relations: &std::collections::BTreeSet<Relation>) -> String {
    relations.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// `text` has this class and command; `effects` are `r:reads w:writes c:creates a:alters`, sorted.
#[track_caller]
fn check(text: &str, class: Class, command: &str, effects: [&str; 4]) {
    let facts = last(text);
    let found = [shown(&facts.reads), shown(&facts.writes), shown(&facts.creates), shown(&facts.alters)];
    assert_eq!((facts.class, facts.command.as_str()), (class, command), "{text}");
    assert_eq!(found, effects.map(str::to_owned), "{text}");
    assert_eq!(facts.doubts, Vec::<String>::new(), "{text}");
}

#[track_caller]
fn refused(text: &str) {
    if let Ok(statements) = understand(text, &scope(), &bounds()) {
        panic!("{text:?} was understood: {statements:?}");
    }
}

#[track_caller]
fn doubted(text: &str) {
    assert!(all(text).iter().any(|facts| !facts.doubts.is_empty()), "{text}");
}

#[test]
fn an_empty_text_holds_no_statement() {
    for text in ["", " ; ;\n", "-- nothing", "/* a /* b */ */"] {
        assert!(all(text).is_empty(), "{text}");
    }
}

#[test]
fn queries_tell_what_they_read() {
    check("select 1", Class::Read, "SELECT", ["", "", "", ""]);
    check(
        "SELECT * FROM Orders.\"Daily\" d JOIN b USING (id)",
        Class::Read,
        "SELECT",
        ["orders.daily public.b", "", "", ""],
    );
    check(
        "with a as (select * from b), b as (select 1) select * from a, b",
        Class::Read,
        "SELECT",
        ["public.b", "", "", ""],
    );
    check(
        "with recursive a as (select 1 union all select * from a) select * from a",
        Class::Read,
        "SELECT",
        ["", "", "", ""],
    );
    check(
        "select (with x as (select 1) select * from x), y.* from x y",
        Class::Read,
        "SELECT",
        ["public.x", "", "", ""],
    );
    check("select * from pg_class", Class::Read, "SELECT", ["pg_catalog.pg_class", "", "", ""]);
    check("select * from dev.a.b, other.a.b", Class::Read, "SELECT", ["a.b other.a.b", "", "", ""]);
    check("select * from only orders.x", Class::Read, "SELECT", ["orders.x", "", "", ""]);
    check(
        "select has_table_privilege('a','delete') as delete from t",
        Class::Read,
        "SELECT",
        ["public.t", "", "", ""],
    );
    check("select * from U&\"\\006frders\".x", Class::Read, "SELECT", ["orders.x", "", "", ""]);
    assert_eq!(shown(&last("select * from t for update").locks), "public.t");
}

#[test]
fn changes_of_rows_are_found_at_any_depth() {
    check("insert into orders.d select * from s", Class::Write, "INSERT", ["public.s", "orders.d", "", ""]);
    check(
        "insert into d(a) values (1) on conflict (a) do update set a = 2 returning a",
        Class::Write,
        "INSERT",
        ["", "public.d", "", ""],
    );
    check(
        "update only orders.d set a = 1 from s where s.x = d.x",
        Class::Write,
        "UPDATE",
        ["public.s", "orders.d", "", ""],
    );
    check("delete from d using s where true", Class::Write, "DELETE", ["public.s", "public.d", "", ""]);
    check("delete orders.d using s where true", Class::Write, "DELETE", ["public.s", "orders.d", "", ""]);
    check(
        "merge into d using s on d.a = s.a when matched then update set b = 1 when not matched then insert values (1)",
        Class::Write,
        "MERGE",
        ["public.s", "public.d", "", ""],
    );
    check(
        "with a as (delete from orders.d returning *) select * from a",
        Class::Write,
        "SELECT",
        ["", "orders.d", "", ""],
    );
    check(
        "with a as (with b as (update orders.d set x=1 returning *) select * from b) select * from a",
        Class::Write,
        "SELECT",
        ["", "orders.d", "", ""],
    );
    check(
        "with s as (select 1) insert into d select * from s",
        Class::Write,
        "INSERT",
        ["", "public.d", "", ""],
    );
    check(
        "merge into orders.d using s on orders.d.a = s.a remove duplicates",
        Class::Write,
        "MERGE",
        ["public.s", "orders.d", "", ""],
    );
    check("truncate orders.d, e", Class::Write, "TRUNCATE", ["", "orders.d public.e", "", ""]);
    check(
        "alter table a append from b",
        Class::Write,
        "ALTER TABLE APPEND",
        ["", "public.a public.b", "", ""],
    );
}

#[test]
fn objects_made_changed_and_dropped_are_named() {
    check("select * into orders.n from s", Class::Ddl, "SELECT INTO", ["public.s", "", "orders.n", ""]);
    check(
        "SELECT * INTO TEMPORARY TABLE \"#T_1\" FROM (SELECT 1 AS COL) AS CHECKTEMP LIMIT 1",
        Class::Ddl,
        "SELECT INTO",
        ["", "", "temp.#t_1", ""],
    );
    check(
        "CREATE LOCAL TEMPORARY TABLE \"#T_2\" (\"COL\" INTEGER) ON COMMIT PRESERVE ROWS",
        Class::Ddl,
        "CREATE TABLE",
        ["", "", "temp.#t_2", ""],
    );
    check(
        "create table orders.n as select * from s",
        Class::Ddl,
        "CREATE TABLE AS",
        ["public.s", "", "orders.n", ""],
    );
    check(
        "create table n (a varchar(3) references p (id), like q)",
        Class::Ddl,
        "CREATE TABLE",
        ["public.p public.q", "", "public.n", ""],
    );
    check(
        "create view v as select * from orders.s with no schema binding",
        Class::Ddl,
        "CREATE VIEW",
        ["orders.s", "", "public.v", ""],
    );
    check("alter table a.t rename to u", Class::Ddl, "ALTER TABLE", ["", "", "", "a.t a.u"]);
    check("alter table a.t set schema orders", Class::Ddl, "ALTER TABLE", ["", "", "", "a.t orders.t"]);
    check(
        "drop table if exists orders.a, b cascade",
        Class::Ddl,
        "DROP TABLE",
        ["", "", "", "orders.a public.b"],
    );
    check("create schema if not exists orders", Class::Ddl, "CREATE SCHEMA", ["", "", "orders.*", ""]);
    check("drop schema orders cascade", Class::Ddl, "DROP SCHEMA", ["", "", "", "orders.*"]);
    check("create index i on orders.t (lower(a))", Class::Ddl, "CREATE INDEX", ["", "", "", "orders.t"]);
    check("comment on column orders.t.a is 'x'", Class::Ddl, "COMMENT", ["", "", "", "orders.t"]);
    check(
        "create table t (a int) inherits (orders.p)",
        Class::Ddl,
        "CREATE TABLE",
        ["", "", "public.t", "orders.p"],
    );
    for opaque in [
        "create function f() returns int as $$ select 1; $$ language sql",
        "create or replace procedure p() as $$ begin end $$ language plpgsql",
        "do $$ begin end $$",
        "create trigger x after insert on t execute function f()",
    ] {
        doubted(opaque);
    }
}

#[test]
fn data_over_the_border_is_egress() {
    check(
        "unload ('select * from orders.t where a = ''x''') to 's3://b/p' iam_role 'r'",
        Class::Egress,
        "UNLOAD",
        ["orders.t", "", "", ""],
    );
    check("unload ($$select 1 from t$$) to 's3://b/p'", Class::Egress, "UNLOAD", ["public.t", "", "", ""]);
    check("copy orders.t from 's3://b/p' iam_role default", Class::Write, "COPY", ["", "orders.t", "", ""]);
    check("copy t (a, b) from stdin", Class::Write, "COPY", ["", "public.t", "", ""]);
    check("copy t to stdout", Class::Read, "COPY", ["public.t", "", "", ""]);
    check(
        "copy (select * from t) to stdout with (format csv)",
        Class::Read,
        "COPY",
        ["public.t", "", "", ""],
    );
    check(
        "copy (delete from orders.t returning *) to stdout",
        Class::Write,
        "COPY",
        ["", "orders.t", "", ""],
    );
    check("copy t to program 'x'", Class::Egress, "COPY", ["public.t", "", "", ""]);
    check("copy t from program 'x'", Class::Egress, "COPY", ["", "public.t", "", ""]);
    assert_eq!(last("unload ('select 1') to 's3://b' iam_role 'r'").egress[0].role.as_deref(), Some("r"));
    refused("unload ('select 1; drop table x') to 's3://b'");
    refused("unload ('delete from x') to 's3://b'");
    refused("unload ('set search_path to x') to 's3://b'");
}

#[test]
fn explain_runs_nothing_unless_it_analyzes() {
    check("explain delete from orders.t", Class::Read, "EXPLAIN", ["", "", "", ""]);
    check("explain (costs off) select * from t", Class::Read, "EXPLAIN", ["public.t", "", "", ""]);
    for text in [
        "explain analyze verbose delete from t",
        "explain (analyze false, analyze) delete from t",
        "explain (analyze on) delete from t",
    ] {
        check(text, Class::Write, "EXPLAIN ANALYZE", ["", "public.t", "", ""]);
    }
}

#[test]
fn functions_are_found_wherever_they_stand() {
    for text in [
        "select pg_sleep(1)",
        "select * from pg_sleep(1)",
        "select 1 limit (select pg_sleep(1))",
        "select 1 order by pg_sleep(1)",
        "insert into t values (1) returning pg_sleep(1)",
        "create table t (a int default pg_sleep(1))",
        "select a from t where exists (select pg_sleep(1) over ())",
        "call p(pg_sleep(1))",
        "prepare x as select 1; execute x(pg_sleep(1))",
        "explain select pg_sleep(1)",
    ] {
        assert!(last(text).functions.contains("pg_sleep"), "{text}");
    }
    assert!(last("select s.f(1)").functions.contains("s.f"));
}

#[test]
fn risks_are_told_by_name() {
    for name in
        ["lower", "pg_catalog.lower", "listagg", "st_area", "nvl", "date_trunc", "count", "random", "now"]
    {
        assert_eq!(risk(name), FunctionRisk::Harmless, "{name}");
    }
    let effects = [
        "pg_terminate_backend",
        "pg_catalog.set_config",
        "lo_import",
        "query_to_xml",
        "nextval",
        "dblink_exec",
        "x.pg_sleep",
    ];
    for name in effects {
        assert!(matches!(risk(name), FunctionRisk::Effect(_)), "{name}");
    }
    assert_eq!(risk("sandbox.lower"), FunctionRisk::Unknown);
    assert_eq!(risk("f_mine"), FunctionRisk::Unknown);
}

#[test]
fn texts_that_servers_could_read_differently_are_refused() {
    for text in [
        "select 'a\\'; drop table x; --'",
        "select 'a\\''",
        "select 1 /* open",
        "select 'open",
        "select \"open",
        "select $a$ open $b$",
        "select 1\0",
        "select\u{a0}1",
        "select\u{2003}1",
        "select 1 \u{200b}",
        "select 'a' 'b'",
        "select \\ 1",
        "select a #b from t",
        "select 1a",
        "select (1",
        "select 1)",
        "select U&'x' uescape 'a'",
        "select U&'x' uescape",
        "select U&'!' uescape '!'",
        "vacuum full; frobnicate",
        "create function f() begin atomic select 1; end",
        "select * from only (orders.t)",
    ] {
        refused(text);
    }
}

/// Where a text stops making sense, as its writer sees it.
#[test]
fn typos_are_told_with_their_place() {
    let cases = [
        ("selec 1", "at or near \"selec\": no statement that is known begins so"),
        ("select 1;\nselec 'x';", "at or near \"selec\" in line 2: no statement that is known begins so"),
        ("select a b c from t", "at or near \"c\": expected the statement's end"),
        ("select a\nfrom t\nwere b = 1", "at or near \"b\" in line 3: expected the statement's end"),
        ("select a from t where ;", "at or near \";\": expected an expression"),
        ("select 1 +", "at its end: expected an expression"),
        ("select count( from t", "at or near \"(\": a bracket that is not closed"),
        ("select (1))", "at or near \")\": a bracket that was not opened"),
        ("select a from t order a", "at or near \"order\": expected the statement's end"),
        ("with a as select 1 select * from a", "at or near \"select\": expected ("),
        ("update t a = 1", "at or near \"=\": expected SET"),
        ("copy t", "at its end: COPY without FROM or TO"),
        ("select (1 'secret, found: secret')", "at or near \"'secret, found: secret'\": expected )"),
        ("create user u password 'hunter2' 'secret'", "at or near \"'secret'\": two literals side by side"),
    ];
    for (text, told) in cases {
        let fault = understand(text, &scope(), &bounds()).expect_err(text);
        assert_eq!(fault.told(text), format!("this statement is not understood {told}"), "{text}");
        assert!(!fault.to_string().contains("secret"), "{fault}");
    }
}

#[test]
fn comments_and_quotes_hide_no_statement() {
    refused("/* /* */ SELECT 1 -- */ DROP TABLE x");
    refused("/* /* */ DROP TABLE x -- */ SELECT 1");
    assert_eq!(all("/* /* */ */ select 1 -- x").len(), 1);
    refused("select 1 -- x\rdrop table x");
    assert_eq!(all("select 1 -- x\r; drop table x").len(), 2);
    assert_eq!(all("select E'\\'; drop table x; --' from t").len(), 1);
    assert_eq!(all("select $q$ '; ( $q$, \"o'clock\" from t; select 2").len(), 2);
    assert_eq!(all("select 1--1\n; drop table x").len(), 2);
    assert_eq!(all("select 1+/* ; */1").len(), 1);
}

#[test]
fn the_text_of_a_statement_keeps_its_leading_comment() {
    let statements = understand("set a to 1 ;\n/* Username: x */ SELECT 1 ; ", &scope(), &bounds()).unwrap();
    let texts: Vec<_> = statements.iter().map(|statement| &*statement.text).collect();
    assert_eq!(texts, ["set a to 1", "/* Username: x */ SELECT 1"]);
}

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
fn deep_and_long_texts_do_not_overflow_the_stack() {
    let megabyte = 1 << 20;
    for unit in [
        "(",
        "[",
        "case when ",
        "not ",
        "- ",
        "a+",
        "a or ",
        "select ",
        "'a'::",
        "select 1 union ",
        "/*",
        "explain ",
        "array[",
        "interval ",
        "f(",
        "a between ",
    ] {
        let _ = understand(&format!("select {}", unit.repeat(megabyte / unit.len())), &scope(), &bounds());
        let _ = understand(&unit.repeat(megabyte / unit.len()), &scope(), &bounds());
    }
    for unit in ["1+", "1 or ", "not ", "- ", "1::int+", "select 1 union "] {
        for count in [100, 700, 1400] {
            let _ = understand(&format!("select {}1", unit.repeat(count)), &scope(), &bounds());
        }
    }
    let deep = format!("select {}1{}", "(".repeat(90), ")".repeat(90));
    assert!(understand(&deep, &scope(), &bounds()).is_ok());
    let ceiling = TextBounds { depth_max: TextBounds::DEPTH_CEILING, ..bounds() };
    for (open, close) in
        [("(", ")"), ("(select ", ")"), ("case when a then ", " end"), ("f(", ")"), ("array[", "]")]
    {
        for count in [100, 190, 390] {
            let deep = format!("select {}1{}", open.repeat(count), close.repeat(count));
            let _ = understand(&deep, &scope(), &ceiling);
        }
    }
    let many = "select 1;".repeat(10_000);
    assert!(understand(&many, &scope(), &bounds()).unwrap_err().reason.contains("too many queries"));
    let list = format!("select * from t where a in ({}1)", "1,".repeat(100_000));
    assert!(understand(&list, &scope(), &bounds()).is_ok());
}

#[test]
fn fingerprints_leave_literals_out() {
    assert_eq!(fingerprint("select  1 -- x"), fingerprint("SELECT 2"));
    assert_eq!(fingerprint("select 'a' from T"), fingerprint("select $$b$$\nfrom t;"));
    assert_ne!(fingerprint("select a"), fingerprint("select b"));
    assert_eq!(fingerprint("x").len(), 16);
}

const WORDS: &[&str] = &[
    "select",
    "from",
    "with",
    "a",
    "t",
    "as",
    "(",
    ")",
    ",",
    ";",
    "'x'",
    "insert into",
    "delete",
    "update",
    "set",
    "/*",
    "*/",
    "--",
    "\n",
    "$$",
    "\"",
    "E'",
    "\\",
    "case",
    "end",
    "create",
    "table",
    "temp",
    "explain",
    "copy",
    "to",
    "prepare",
    "execute",
    "1",
    "begin",
    "rollback",
    "unload",
    ".",
    "::",
    "only",
    "into",
    "values",
    "#b",
    "begin",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_panics(text in "\\PC{0,80}") {
        let _ = understand(&text, &scope(), &bounds());
        let _ = fingerprint(&text);
    }

    #[test]
    fn no_mixture_of_words_panics(words in proptest::collection::vec(proptest::sample::select(WORDS), 0..25)) {
        let _ = understand(&words.join(" "), &scope(), &bounds());
    }
}

#[test]
fn forms_that_the_parser_lacks_have_the_facts_of_those_it_has() {
    for (text, reads) in [
        ("table orders.t", "orders.t"),
        ("select 1 union all table orders.t", "orders.t"),
        ("select a, b, from orders.t", "orders.t"),
        ("select t.id from (orders.t)", "orders.t"),
        ("select (1 as one) + 1 as b, one + 3 from t", "public.t"),
        ("select 'foo' -- why\n 'bar' from t", "public.t"),
        ("select (f).*, (g(x)).* from t", "public.t"),
        ("select f(variadic array[1, 2]) from t", "public.t"),
        ("select a isnull, b notnull as c from t", "public.t"),
        ("select * from t *, u", "public.t public.u"),
        ("select * from substring('Thomas' from 2 for 3)", ""),
        ("select * from t for share of t, u skip locked", "public.t"),
        ("select rank() over (order by a groups unbounded preceding exclude group) from t", "public.t"),
        ("select * from U&\"!006frders\" uescape '!'.t", "orders.t"),
        (
            "with recursive s(a) as (select a from t union all select a from s) search depth first by a set o \
             select * from s",
            "public.t",
        ),
        (
            "with recursive s(a) as (select a from t union all select a from s) cycle a set c to 1 default 0 \
             using p select * from s",
            "public.t",
        ),
    ] {
        assert_eq!((last(text).class, shown(&last(text).reads).as_str()), (Class::Read, reads), "{text}");
    }
    for (text, writes) in [
        ("delete from orders.t *", "orders.t"),
        ("update orders.t * set a = 1", "orders.t"),
        ("update orders.t set a[1] = 2, b[1:2] = '{}' where c", "orders.t"),
        ("update orders.t set a = 1 where current of c", "orders.t"),
        ("insert into orders.t (a) overriding system value values (1)", "orders.t"),
        ("insert into orders.t (a) values (1) on conflict (a) where b do nothing", "orders.t"),
    ] {
        assert_eq!((last(text).class, shown(&last(text).writes).as_str()), (Class::Write, writes), "{text}");
    }
    // What is left out is still looked through.
    for text in [
        "select f(variadic pg_sleep(9))",
        "insert into t values (1) on conflict (a) where pg_sleep(9) do nothing",
    ] {
        assert!(last(text).functions.contains("pg_sleep"), "{text}");
    }
    refused("insert into t values (1) on conflict (a) where (select 1) do nothing");
}

#[test]
fn functions_with_effects_tell_what_they_do_where_literals_say_it() {
    let set = last("select set_config('DateStyle', 'ISO', false)");
    assert_eq!(
        (set.session[0].setting.as_str(), set.session[0].values.as_slice()),
        ("datestyle", &["ISO".to_owned()][..])
    );
    assert_eq!((set.class, set.settled.len()), (Class::Session, 1));
    let pgadmin =
        "select set_config('bytea_output','hex',false) from pg_settings where name = 'bytea_output'";
    assert_eq!(last(pgadmin).session[0].setting, "bytea_output");
    assert_eq!(last("select pg_terminate_backend(41)").signals, [41].into());
    assert_eq!(last("cancel 42 'too long'").signals, [42].into());
    // Otherwise the call itself is what is judged.
    for unsettled in [
        "select set_config('Search_Path', 'orders', false)",
        "select set_config('role', 'bob', false)",
        "select set_config('datestyle', x, false) from t",
        "select set_config('date' || 'style', 'ISO', false)",
        "select set_config('datestyle', 'ISO', false), set_config('role', 'bob', true)",
        "select pg_terminate_backend(pid) from pg_stat_activity",
        "select pg_terminate_backend($1)",
        "select pg_cancel_backend(1), pg_cancel_backend(pid) from t",
        "prepare p as select set_config('datestyle', 'ISO', false)",
        "explain select set_config('datestyle', 'ISO', false)",
    ] {
        let facts = last(unsettled);
        assert!(facts.settled.is_empty() && facts.session.is_empty(), "{unsettled}");
        assert!(!facts.functions.is_empty(), "{unsettled}");
    }
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

fn known() -> Arc<Catalog> {
    let relation = |schema: &str, name: &str, kind, reads: &[(&str, &str)]| RelationEntry {
        schema: schema.to_owned(),
        name: name.to_owned(),
        kind,
        owner: "dbt".to_owned(),
        reads: reads.iter().map(|(schema, name)| ((*schema).to_owned(), (*name).to_owned())).collect(),
        ..RelationEntry::default()
    };
    Arc::new(Catalog::new(Snapshot {
        relations: vec![
            relation("orders", "t", RelationKind::Table, &[]),
            relation("orders", "v", RelationKind::View, &[("orders", "t"), ("users", "secrets")]),
            relation("public", "w", RelationKind::View, &[("orders", "v")]),
        ],
        ..Snapshot::default()
    }))
}

#[test]
fn a_catalog_tells_what_is_read_and_never_what_is_written() {
    let mut scope = Scope::new("svc", "dev", &["public".to_owned(), "orders".to_owned()], scope_bounds());
    assert!(scope.go_by(Some(&known())));
    for (text, reads, writes) in [
        ("select * from t", "orders.t", ""),
        ("select * from unknown", "orders.unknown public.unknown", ""),
        ("select * from w", "orders.t orders.v public.w users.secrets", ""),
        ("copy w to stdout", "orders.t orders.v public.w users.secrets", ""),
        ("select * from t x, x.items i, i.parts", "orders.t", ""),
        ("create temp table t (a int); select * from t", "temp.t", ""),
        ("delete from t", "", "orders.t public.t"),
        ("insert into t select * from t", "orders.t", "orders.t public.t"),
    ] {
        let last = understand(text, &scope, &bounds()).unwrap().pop().unwrap().facts;
        assert_eq!((shown(&last.reads).as_str(), shown(&last.writes).as_str()), (reads, writes), "{text}");
    }
    assert!(scope.go_by(None) && !scope.go_by(None));
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
fn functions_in_definitions_are_named() {
    for (text, function) in [
        ("create index on films ((lower(a)))", "lower"),
        ("create domain d as varchar(3) check (length(value) > 1)", "length"),
        ("create statistics s on date_trunc('day', a), b from t", "date_trunc"),
        ("create table t (name varchar(9)) partition by list (left(name, 1))", "left"),
        ("alter domain d add check (length(value) > 1)", "length"),
        ("select * from unnest(array[1])", "unnest"),
    ] {
        assert_eq!(last(text).functions, [function.to_owned()].into(), "{text}");
    }
    assert_eq!(shown(&last("prepare p as select * into orders.x").alters), "orders.x");
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
fn calls_that_look_like_columns_or_built_ins_are_named() {
    for (text, function) in [
        ("select ('orders.numbers'::regclass).nextval", "nextval"),
        ("select (x)[1].pg_sleep from t", "pg_sleep"),
        ("create table t (a int, b text default orders.lower('x'))", "orders.lower"),
        ("select orders.lower('x')", "orders.lower"),
        ("create index i on t (orders.lower(a))", "orders.lower"),
    ] {
        assert!(last(text).functions.contains(function), "{text}: {:?}", last(text).functions);
    }
    assert_eq!(
        last("select (f()).n, (t.a).orderdate, t.lo_orderdate from t").functions,
        ["f".to_owned()].into()
    );
    let own = FunctionEntry {
        schema: "orders".to_owned(),
        name: "log".to_owned(),
        owner: "dbt".to_owned(),
        language: "sql".to_owned(),
        volatility: Volatility::Volatile,
        security_definer: false,
    };
    let functions = vec![own.clone(), FunctionEntry { name: "stamp".to_owned(), ..own }];
    let catalog = Arc::new(Catalog::new(Snapshot { functions, ..Snapshot::default() }));
    let mut scope = Scope::new("svc", "dev", &["orders".to_owned()], scope_bounds());
    scope.go_by(Some(&catalog));
    for (text, function) in [
        ("select log('x'::text)", "orders.log"),
        ("select d.stamp from daily d", "orders.stamp"),
        ("select (d).stamp from daily d", "orders.stamp"),
        ("select case when true then d.stamp else 1 end from daily d", "orders.stamp"),
        ("create table sandbox_orders.x as select d.stamp from orders.daily d", "orders.stamp"),
    ] {
        let facts = understand(text, &scope, &bounds()).unwrap().pop().unwrap().facts;
        assert!(facts.functions.contains(function), "{text}: {:?}", facts.functions);
    }
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
fn words_that_a_parser_takes_for_names_hide_nothing() {
    for (text, reads) in [
        ("select interval from sb, orders.customers where email like 'a%'", "orders.customers public.sb"),
        ("select 1 + interval from sb", "public.sb"),
        ("select interval '1 day', a::interval, cast(a as interval), interval (3) '1' from t", "public.t"),
        ("select extract(year from a), trim(both 'x' from b), a is distinct from b from t", "public.t"),
        ("select overlay(a placing b from 2 for 3), substring(a from 2) from t", "public.t"),
        ("select * from t for no key update", "public.t"),
        ("select * from t for key share of t", "public.t"),
    ] {
        assert_eq!(shown(&last(text).reads), reads, "{text}");
    }
    refused("select a, #sum(b) from t");
    check("insert into #t (a) values (1)", Class::Write, "INSERT", ["", "public.#t temp.#t", "", ""]);
    doubted(&format!("set search_path to {}", "s".repeat(64)));
    let policy = last("create policy p on t using (f() and a in (select a from u))");
    assert_eq!((shown(&policy.reads).as_str(), policy.functions), ("public.u", ["f".to_owned()].into()));
    check("comment on constraint c on domain is 'x'", Class::Ddl, "COMMENT", ["", "", "", "public.domain"]);
    assert!(
        last("create table m partition of of for values in (1)")
            .alters
            .contains(&Relation::new("public", "of"))
    );
    assert!(last("select convert(integer, a) from t").functions.contains("convert"));
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
