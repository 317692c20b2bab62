//! What is understood of each kind of statement.

use super::*;

mod followed;
mod functions;
mod known;
mod texts;

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
fn fingerprints_leave_literals_out() {
    assert_eq!(fingerprint("select  1 -- x"), fingerprint("SELECT 2"));
    assert_eq!(fingerprint("select 'a' from T"), fingerprint("select $$b$$\nfrom t;"));
    assert_ne!(fingerprint("select a"), fingerprint("select b"));
    assert_eq!(fingerprint("x").len(), 16);
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
