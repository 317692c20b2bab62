//! Scripts written by hand, by what they are about.

use super::talk::Script;

pub fn scripts() -> Vec<Script> {
    let s = |name: &str| Script::named(name);
    vec![
        s("rows").query("SELECT n, n * 2, 'x' || n FROM generate_series(1, 300) n"),
        s("nothing").query("").query(";;").query(" -- only a comment"),
        s("several statements").query("SELECT 1; SELECT 2 WHERE false; SELECT 3"),
        s("an error in the middle").query("SELECT 1; SELECT 1/0; SELECT 3").query("SELECT 4"),
        s("errors").query("SELECT nope").query("SELECT * FROM orders.nope"),
        s("a notice").query("DROP TABLE IF EXISTS sandbox_orders.never_there"),
        s("a block").query("BEGIN").query("SELECT 1").query("COMMIT"),
        s("a failed block").query("BEGIN").query("SELECT 1/0").query("SELECT 1").query("ROLLBACK"),
        s("savepoints")
            .query("BEGIN")
            .query("SAVEPOINT a")
            .query("SELECT 1/0")
            .query("ROLLBACK TO a")
            .query("SELECT 5")
            .query("COMMIT"),
        s("settings").query("SET datestyle TO 'ISO, DMY'").query("SHOW datestyle").query("RESET datestyle"),
        s("a temporary table")
            .query("CREATE TEMP TABLE t (a int)")
            .query("INSERT INTO t SELECT generate_series(1, 10)")
            .query("UPDATE t SET a = a + 1 WHERE a > 5")
            .query("SELECT sum(a) FROM t")
            .query("DROP TABLE t"),
        s("extended").run("SELECT 1").sync(),
        s("empty extended").run("").sync(),
        s("a query behind a pipeline without Sync")
            .run("SET datestyle TO 'ISO, DMY'")
            .query("INSERT INTO sandbox_orders.kept VALUES (1)")
            .query("SHOW datestyle")
            .run("INSERT INTO sandbox_orders.kept VALUES (2)")
            .query("INSERT INTO sandbox_orders.kept SELECT 1 / 0")
            .query("SELECT * FROM sandbox_orders.kept")
            .run("INSERT INTO sandbox_orders.kept VALUES (3)")
            .query("INSERT INTO sandbox_orders.nope VALUES (1)")
            .query("DELETE FROM sandbox_orders.kept"),
        s("a pipeline").run("SELECT 1").run("SELECT 2").run("SELECT 3").sync(),
        s("an error in a pipeline")
            .run("SELECT 1")
            .run("SELECT 1/0")
            .run("SELECT 3")
            .sync()
            .run("SELECT 4")
            .sync(),
        s("pipelined syncs").run("SELECT 1").sync().run("SELECT nope").sync().run("SELECT 3").sync(),
        s("a named statement")
            .parse("s", "SELECT n FROM generate_series(1, 5) n")
            .describe(b'S', "s")
            .sync()
            .bind("", "s")
            .execute("", 0)
            .sync()
            .bind("", "s")
            .execute("", 2)
            .execute("", 2)
            .execute("", 2)
            .sync()
            .close(b'S', "s")
            .sync()
            .bind("", "s")
            .sync(),
        s("a statement twice")
            .parse("d", "SELECT 1")
            .sync()
            .parse("d", "SELECT 2")
            .sync()
            .close(b'S', "d")
            .sync(),
        s("a portal in pieces")
            .query("BEGIN")
            .parse("", "SELECT n FROM generate_series(1, 5) n")
            .bind("p", "")
            .execute("p", 2)
            .sync()
            .execute("p", 2)
            .sync()
            .execute("p", 2)
            .close(b'P', "p")
            .sync()
            .execute("p", 2)
            .sync()
            .query("ROLLBACK"),
        s("unknown names").bind("", "nowhere").sync().execute("nowhere", 0).sync(),
        s("a cursor")
            .query("BEGIN; DECLARE c CURSOR FOR SELECT n FROM generate_series(1, 5) n")
            .query("FETCH 2 FROM c")
            .query("FETCH ALL FROM c")
            .query("CLOSE c")
            .query("COMMIT"),
        s("prepared in SQL")
            .query("PREPARE q AS SELECT 1")
            .query("EXECUTE q")
            .bind("", "q")
            .execute("", 0)
            .sync()
            .query("DEALLOCATE q"),
        s("copy out").query("COPY (SELECT n FROM generate_series(1, 20) n) TO STDOUT"),
        s("copy in")
            .query("CREATE TEMP TABLE c (a int)")
            .query("COPY c FROM STDIN")
            .raw(b'd', b"1\n2\n")
            .raw(b'd', b"3\n")
            .raw(b'c', b"")
            .query("SELECT sum(a) FROM c")
            .query("COPY c FROM STDIN")
            .raw(b'd', b"4\n")
            .raw(b'f', b"enough\0")
            .query("SELECT sum(a) FROM c")
            .query("DROP TABLE c"),
        s("wide and long").query("SELECT repeat('x', 300000), repeat('y', 5) FROM generate_series(1, 3)"),
    ]
}
