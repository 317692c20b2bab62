//! The catalog's snapshot: read from a real PostgreSQL, kept in a file, kept young by a gate.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};

use support::client::Client;
use support::{Gate, House, PASSWORD, until};
use tollgate::catalog::{Catalog, RelationKind, Volatility};
use tollgate::config;
use tollgate::demo::postgres::free_port;
use tollgate::warehouse::catalog::load;
use tollgate::warehouse::connect::Warehouse;

const DEFINITIONS: &str = r#"
    CREATE ROLE reader LOGIN PASSWORD 'reads';
    CREATE SCHEMA orders_mart; CREATE SCHEMA lib; CREATE SCHEMA "Mixed";
    CREATE TABLE sandbox_orders.t (a int PRIMARY KEY, "B c" text);
    CREATE VIEW sandbox_orders.v AS SELECT a FROM sandbox_orders.t;
    CREATE MATERIALIZED VIEW orders_mart.w AS SELECT v.a, d.total FROM sandbox_orders.v v JOIN orders.daily d ON d.day = v.a;
    CREATE TABLE sandbox_orders.own (a int);
    CREATE VIEW sandbox_orders.of_own AS SELECT * FROM sandbox_orders.own;
    CREATE TABLE "Mixed"."T" (a int REFERENCES sandbox_orders.t);
    CREATE TABLE "Mixed".child () INHERITS (sandbox_orders.own);
    CREATE SEQUENCE sandbox_orders.s;
    CREATE TABLE "Mixed".counted (n int DEFAULT nextval('sandbox_orders.s'), r sandbox_orders.own[]);
    CREATE TABLE "Mixed".parted (d int) PARTITION BY RANGE (d);
    CREATE FUNCTION lib.immutable(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
    CREATE FUNCTION lib.stable(int) RETURNS int LANGUAGE sql STABLE AS 'SELECT $1';
    CREATE FUNCTION lib.stable(text) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
    CREATE FUNCTION lib.volatile(int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT $1';
    CREATE FUNCTION lib.definer(int) RETURNS int LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT $1';
    CREATE FUNCTION sandbox_orders.mine(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1';
    CREATE AGGREGATE lib.adds(int) (sfunc = int4pl, stype = int);
    CREATE PROCEDURE lib.runs() LANGUAGE sql AS 'DELETE FROM orders.daily';
    ALTER FUNCTION lib.stable(int) OWNER TO reader;
    ALTER TABLE sandbox_orders.own OWNER TO reader;
"#;

/// A house with [`DEFINITIONS`], whose gate has a catalog, an admin port and the rule for functions.
fn house(section: &str) -> (House, u16) {
    let house = House::build();
    house.warehouse("dev", DEFINITIONS);
    let admin = free_port().unwrap();
    append(&house.config(), &format!("admin: 127.0.0.1:{admin}\ncatalog: {section}\n"));
    fs::write(house.dir.path().join("reader.password"), "reads").unwrap();
    let rules = house.dir.path().join("rules");
    append(&rules.join("company.yaml"), "functions: { default: deny_volatile }\n");
    let orders = rules.join("domains/orders.yaml");
    let text = fs::read_to_string(&orders).unwrap();
    fs::write(&orders, text.replace("official: [orders]", "official: [orders, orders_mart, mixed]")).unwrap();
    (house, admin)
}

const READER: &str = "{ login: { user: reader, password: \"file:reader.password\" }, refresh: 1h }";

fn append(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn snapshot(house: &House) -> Catalog {
    let config = config::load(&house.config()).unwrap();
    let login = config.upstream.logins.last().unwrap();
    let warehouse = Warehouse::of(&config.upstream).unwrap();
    let max = config.bounds.catalog_relations_max;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    Catalog::new(runtime.block_on(load(&warehouse, login, &config.upstream.database, max)).unwrap())
}

/// A metric of the gate, by its name with labels; 0 while it is not told.
fn metric(admin: u16, name: &str) -> f64 {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", admin)) else { return 0.0 };
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_default()
}

const LIVE: &str = "tollgate_catalog_refreshes_total{outcome=\"live\"}";
const FAILED: &str = "tollgate_catalog_refreshes_total{outcome=\"failed\"}";

/// A gate whose catalog is live, and an analyst's session.
fn session(house: &House, admin: u16) -> (Gate, Client) {
    let gate = house.gate();
    until("a live catalog", || metric(admin, LIVE) >= 1.0);
    (gate, Client::log_in(house.port, "analyst", PASSWORD, "dev").unwrap())
}

fn tollgate(house: &House, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.args(arguments).arg("--config").arg(house.config()).output().unwrap()
}

fn shown(keys: impl IntoIterator<Item = (String, String)>) -> Vec<String> {
    keys.into_iter().map(|(schema, name)| format!("{schema}.{name}")).collect()
}

#[test]
fn a_snapshot_tells_relations_their_lineage_and_functions() {
    let (house, _) = house(READER);
    let catalog = snapshot(&house);
    let kind = |schema, name| catalog.relations(schema, name).next().map(|entry| entry.kind);
    assert_eq!(kind("mixed", "t"), Some(RelationKind::Table));
    assert_eq!(kind("mixed", "parted"), Some(RelationKind::Table));
    assert_eq!(kind("sandbox_orders", "v"), Some(RelationKind::View));
    assert_eq!(kind("orders_mart", "w"), Some(RelationKind::MaterializedView));
    assert_eq!(kind("sandbox_orders", "s"), Some(RelationKind::Sequence));
    assert_eq!(kind("sandbox_orders", "t_pkey"), Some(RelationKind::Index));
    assert_eq!(kind("pg_catalog", "pg_class"), None);
    let entry = catalog.relations("mixed", "t").next().unwrap();
    assert_eq!((entry.schema.as_str(), entry.name.as_str()), ("Mixed", "T"));
    let table = catalog.relations("sandbox_orders", "t").next().unwrap();
    assert_eq!(table.columns, ["a", "B c"]);
    assert_eq!(catalog.relations("sandbox_orders", "own").next().unwrap().owner, "reader");
    let bases = shown(catalog.bases("orders_mart", "w"));
    assert_eq!(bases, ["orders.daily", "sandbox_orders.t", "sandbox_orders.v"]);
    let dependents = shown(catalog.dependents("sandbox_orders", "t"));
    assert_eq!(dependents, ["mixed.t", "orders_mart.w", "sandbox_orders.v"]);
    let dependents = shown(catalog.dependents("sandbox_orders", "own"));
    assert_eq!(dependents, ["mixed.child", "mixed.counted", "sandbox_orders.of_own"]);
    assert_eq!(shown(catalog.dependents("sandbox_orders", "s")), ["mixed.counted"]);

    let function = |name| catalog.functions(Some("lib"), name).collect::<Vec<_>>();
    assert_eq!(function("immutable")[0].volatility, Volatility::Immutable);
    assert_eq!(function("volatile")[0].volatility, Volatility::Volatile);
    assert_eq!(function("adds")[0].volatility, Volatility::Volatile, "its parts are not looked at");
    assert_eq!(function("runs")[0].volatility, Volatility::Volatile);
    assert!(function("definer")[0].security_definer && !function("immutable")[0].security_definer);
    let owners: Vec<&str> = function("stable").iter().map(|entry| entry.owner.as_str()).collect();
    assert_eq!(owners, ["postgres", "reader"]);
    assert_eq!(catalog.functions(None, "lower").count(), 0, "the server's own are left out");
    let snapshot = catalog.snapshot();
    assert!(snapshot.database == "dev" && snapshot.taken.ends_with('Z'), "{snapshot:?}");
}

#[test]
fn what_users_make_in_temporary_and_public_schemas_does_not_stand_in_for_the_servers_catalog() {
    let (house, _) = house(READER);
    house.warehouse(
        "dev",
        "CREATE VIEW public.pg_class AS SELECT 1 AS oid; \
         CREATE FUNCTION public.pg_get_userbyid(oid) RETURNS name LANGUAGE sql AS $$ SELECT 'forged'::name $$; \
         ALTER ROLE postgres SET search_path TO public, pg_catalog",
    );
    let catalog = snapshot(&house);
    assert_eq!(catalog.relations("orders", "daily").next().unwrap().owner, "postgres");
    assert!(catalog.holds("public", "pg_class"));
}

#[test]
fn a_warehouse_over_the_bound_is_refused_with_the_settings_name() {
    let (house, _) = house(READER);
    let text = fs::read_to_string(house.config()).unwrap();
    fs::write(house.config(), text.replace("bounds: { ", "bounds: { catalog_relations_max: 3, ")).unwrap();
    let output = tollgate(&house, &["catalog", "dump"]);
    assert_eq!(output.status.code(), Some(3));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("more than 3 relations") && told.contains("catalog_relations_max"), "{told}");
}

#[test]
fn what_dump_writes_decide_reads() {
    let (house, _) = house(READER);
    let kept = house.dir.path().join("catalog.json");
    let kept = kept.to_str().unwrap();
    let dumped = tollgate(&house, &["catalog", "dump", "--out", kept]);
    assert!(dumped.status.success(), "{dumped:?}");
    let printed = String::from_utf8(tollgate(&house, &["catalog", "dump"]).stdout).unwrap();
    let rest = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(rest(&fs::read_to_string(kept).unwrap()), rest(&printed), "stable but for the time");
    assert!(printed.contains("\n{\"schema\":\"orders\",\"name\":\"daily\",\"kind\":\"table\","), "{printed}");

    let text = house.dir.path().join("text.sql");
    fs::write(
        &text,
        "SELECT lib.stable(1); DROP TABLE sandbox_orders.t CASCADE; DELETE FROM sandbox_orders.v",
    )
    .unwrap();
    let judge = |catalog: &[&str]| {
        let arguments = ["decide", "--as", "analyst", "--format", "json"];
        let output = tollgate(&house, &[&arguments[..], catalog, &[text.to_str().unwrap()]].concat());
        let verdicts = String::from_utf8(output.stdout).unwrap();
        let code = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["code"].to_string();
        (verdicts.lines().map(code).collect::<Vec<_>>(), output.status.code())
    };
    let with = judge(&["--catalog", kept]);
    assert_eq!(
        with,
        (vec!["null".to_owned(), "\"official_write\"".to_owned(), "\"unlisted_write\"".to_owned()], Some(1))
    );
    let without = judge(&[]);
    assert_eq!(without.0, ["\"restricted_function\"", "\"unlisted_write\"", "null"]);

    for (name, content) in [("none", None), ("other", Some("{\"relations\":1}"))] {
        let path = house.dir.path().join(name);
        if let Some(content) = content {
            fs::write(&path, content).unwrap();
        }
        let path = path.to_str().unwrap();
        let arguments = ["decide", "--as", "analyst", "--catalog", path, text.to_str().unwrap()];
        let output = tollgate(&house, &arguments);
        assert_eq!(output.status.code(), Some(3));
        assert!(String::from_utf8_lossy(&output.stderr).contains(path), "{output:?}");
    }
}

#[test]
fn a_gate_refuses_what_cascade_would_take_from_others() {
    let (house, admin) = house(READER);
    let (_gate, mut analyst) = session(&house, admin);
    let told = analyst.error("DROP TABLE sandbox_orders.t CASCADE");
    assert_eq!(told.sqlstate(), "42501");
    assert!(told.text().contains("DROP TABLE sandbox_orders.t CASCADE would drop"), "{told:?}");
    analyst.run("DROP VIEW sandbox_orders.of_own");
    // The server itself holds it: something depends on the table.
    assert_eq!(analyst.error("DROP TABLE sandbox_orders.t").sqlstate(), "2BP01");
    assert_eq!(house.warehouse("dev", "SELECT count(*) FROM orders_mart.w"), ["0"]);
    assert_eq!(analyst.error("INSERT INTO sandbox_orders.v VALUES (1)").sqlstate(), "42501");
}

#[test]
fn a_gate_lets_pass_functions_that_the_catalog_vouches_for() {
    let (house, admin) = house(READER);
    let (_gate, mut analyst) = session(&house, admin);
    assert_eq!(analyst.value("SELECT lib.stable(7) + lib.immutable(1)"), "8");
    // A function of the server's name with other arguments is the one called, where the path holds it.
    house.warehouse(
        "dev",
        "CREATE FUNCTION sandbox_orders.lower(int) RETURNS int LANGUAGE sql AS 'DELETE FROM orders.daily; SELECT 1'",
    );
    analyst.run("CREATE TABLE sandbox_orders.notice (a int)");
    until("a snapshot with the function", || metric(admin, LIVE) >= 2.0);
    assert_eq!(analyst.value("SELECT lower('ABC')"), "abc");
    analyst.run("SET search_path TO sandbox_orders");
    let told = analyst.error("SELECT lower(5)");
    assert!(told.text().contains("sandbox_orders.lower lives in a sandbox"), "{told:?}");
    assert_eq!(house.warehouse("dev", "SELECT count(*) FROM orders.daily"), ["500"]);
    for call in ["lib.volatile(1)", "lib.definer(1)", "sandbox_orders.mine(1)", "mine(1)", "lib.unknown()"] {
        let told = analyst.error(&format!("SELECT {call}"));
        assert_eq!(told.sqlstate(), "42501", "{call}: {told:?}");
    }
    assert_eq!(analyst.error("CALL lib.runs()").sqlstate(), "42501");
}

#[test]
fn a_gate_sees_what_it_let_be_defined() {
    let (house, admin) = house(READER);
    let (_gate, mut analyst) = session(&house, admin);
    // The gate's own question to the warehouse aside: CASCADE is judged by the snapshot alone.
    let mut steward = Client::log_in(house.port, "steward", PASSWORD, "dev").unwrap();
    let live = metric(admin, LIVE);
    steward.run("BEGIN; CREATE VIEW orders_mart.of_own AS SELECT * FROM sandbox_orders.of_own; COMMIT");
    until("another snapshot", || metric(admin, LIVE) > live);
    let told = analyst.error("DROP VIEW sandbox_orders.of_own CASCADE");
    assert!(told.text().contains("would drop orders_mart.of_own"), "{told:?}");
    assert!(metric(admin, "tollgate_catalog_relations") > 0.0);
    // Neither rows nor temporary relations ask for a snapshot; a last definition shows that none was asked for.
    let live = metric(admin, LIVE);
    analyst.run("CREATE TEMP TABLE mine (a int)");
    analyst.run("INSERT INTO sandbox_orders.own VALUES (1)");
    let _ = analyst.error("CREATE TABLE sandbox_orders.own (a int)");
    steward.run("DROP VIEW orders_mart.of_own");
    until("the last snapshot", || metric(admin, LIVE) > live);
    assert_eq!(metric(admin, LIVE), live + 1.0);
}

#[test]
fn an_old_snapshot_stays_in_use_while_none_can_be_had() {
    let (house, admin) = house(READER);
    let (_gate, mut analyst) = session(&house, admin);
    house.warehouse("dev", "ALTER ROLE reader NOLOGIN");
    analyst.run("CREATE TABLE sandbox_orders.notice (a int)");
    until("a failed snapshot", || metric(admin, FAILED) >= 1.0);
    assert!(analyst.error("DROP TABLE sandbox_orders.t CASCADE").text().contains("would drop"));
    assert_eq!(analyst.value("SELECT lib.stable(7)"), "7");
    house.warehouse(
        "dev",
        "ALTER ROLE reader LOGIN; DROP MATERIALIZED VIEW orders_mart.w; DROP TABLE \"Mixed\".\"T\"",
    );
    until("a snapshot after all", || metric(admin, LIVE) >= 2.0);
    let told = analyst.error("DROP TABLE sandbox_orders.t CASCADE");
    assert!(!told.text().contains("would drop"), "{told:?}");
}

#[test]
fn a_file_stands_in_for_the_warehouse_and_is_read_again() {
    let (house, admin) = house("{ file: catalog.json, refresh: 50ms }");
    let kept = house.dir.path().join("catalog.json");
    let gate = house.gate();
    until("a missing file", || metric(admin, FAILED) >= 1.0);
    let mut analyst = Client::log_in(house.port, "analyst", PASSWORD, "dev").unwrap();
    assert_eq!(analyst.error("SELECT lib.stable(7)").sqlstate(), "42501", "names alone are judged");
    assert!(tollgate(&house, &["catalog", "dump", "--out", kept.to_str().unwrap()]).status.success());
    until("a file", || metric(admin, LIVE) >= 1.0);
    assert_eq!(analyst.value("SELECT lib.stable(7)"), "7");
    let failed = metric(admin, FAILED);
    fs::write(&kept, "{}").unwrap();
    until("a broken file", || metric(admin, FAILED) > failed);
    assert_eq!(analyst.value("SELECT lib.stable(7)"), "7");
    drop(gate);
}
