//! Invisible when allowed: the same frames, played directly and through the gate, are answered alike.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use support::{Gate, House};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tollgate::config::Secret;
use tollgate::warehouse::login::{Credentials, login};
use tollgate::warehouse::scram::KeyRing;
use tollgate::wire::{header, reply};

type Frame = (u8, Vec<u8>);

/// Says what a script says and hears until as many ReadyForQuery came as it should cause.
struct Talk {
    stream: TcpStream,
    input: BytesMut,
}

impl Talk {
    async fn open(address: SocketAddr, user: &str, password: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let parameters = [("database".to_owned(), "dev".to_owned())];
        let opened = {
            let (password, keys) = (Secret::new(password), KeyRing::default());
            let credentials = Credentials { user, password: &password, clear: false, keys: &keys };
            login(stream, &parameters, credentials).await.unwrap()
        };
        Self { stream: opened.stream, input: opened.leftover }
    }

    async fn frame(&mut self) -> Frame {
        loop {
            if let Some(head) = header(&self.input).unwrap()
                && self.input.len() >= head.frame_bytes()
            {
                self.input.advance(5);
                let body = self.input.split_to(head.body_bytes).to_vec();
                return (head.tag, if head.tag == b'E' { without_source(&body) } else { body });
            }
            assert_ne!(self.stream.read_buf(&mut self.input).await.unwrap(), 0, "the connection was closed");
        }
    }

    async fn play(&mut self, script: &Script, dribble: bool) -> Vec<Frame> {
        if dribble {
            for byte in &script.bytes {
                self.stream.write_all(&[*byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
        } else {
            self.stream.write_all(&script.bytes).await.unwrap();
        }
        let mut frames = Vec::new();
        let mut ready = 0;
        while ready < script.ready {
            let frame = self.frame().await;
            ready += usize::from(frame.0 == b'Z');
            frames.push(frame);
        }
        frames
    }
}

/// An error without the server's own file, line and routine, which Tollgate's answers to the use of unknown
/// or taken names do not have.
fn without_source(body: &[u8]) -> Vec<u8> {
    let kept = tollgate::session::fields(body).filter(|(kind, _)| !matches!(kind, b'F' | b'L' | b'R'));
    kept.flat_map(|(kind, value)| [&[kind], value, &[0]].concat()).collect()
}

/// Frames to say, and how many ReadyForQuery they cause.
#[derive(Default)]
struct Script {
    name: &'static str,
    bytes: BytesMut,
    ready: usize,
}

impl Script {
    fn new(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    fn query(mut self, sql: &str) -> Self {
        reply::query(&mut self.bytes, sql);
        self.ready += 1;
        self
    }

    fn parse(mut self, name: &str, sql: &str) -> Self {
        reply::parse(&mut self.bytes, name, sql, &[0, 0]);
        self
    }

    fn bind(mut self, portal: &str, statement: &str) -> Self {
        reply::bind(&mut self.bytes, portal, statement, &[0, 0, 0, 0]);
        self
    }

    fn raw(mut self, tag: u8, body: &[u8]) -> Self {
        self.bytes.extend_from_slice(&[tag]);
        self.bytes.extend_from_slice(&(body.len() as i32 + 4).to_be_bytes());
        self.bytes.extend_from_slice(body);
        self
    }

    fn describe(self, what: &[u8]) -> Self {
        self.raw(b'D', what)
    }

    fn execute(self, portal: &str, rows_max: i32) -> Self {
        let mut body = portal.as_bytes().to_vec();
        body.push(0);
        body.extend_from_slice(&rows_max.to_be_bytes());
        self.raw(b'E', &body)
    }

    fn sync(mut self) -> Self {
        self = self.raw(b'S', b"");
        self.ready += 1;
        self
    }

    /// Parse, Bind, Describe, Execute of one statement.
    fn run(self, sql: &str) -> Self {
        self.parse("", sql).bind("", "").describe(b"P\0").execute("", 0)
    }
}

fn scripts() -> Vec<Script> {
    let s = Script::new;
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
            .describe(b"Ss\0")
            .sync()
            .bind("", "s")
            .execute("", 0)
            .sync()
            .bind("", "s")
            .execute("", 2)
            .execute("", 2)
            .execute("", 2)
            .sync()
            .raw(b'C', b"Ss\0")
            .sync()
            .bind("", "s")
            .sync(),
        s("a statement twice")
            .parse("d", "SELECT 1")
            .sync()
            .parse("d", "SELECT 2")
            .sync()
            .raw(b'C', b"Sd\0")
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
            .raw(b'C', b"Pp\0")
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

#[test]
fn what_is_allowed_is_answered_as_by_the_server_itself() {
    let house = House::build();
    let gate = house.gate();
    tokio::runtime::Runtime::new().unwrap().block_on(play_all(&house, &gate));
}

async fn play_all(house: &House, gate: &Gate) {
    let server = ([127, 0, 0, 1], house.postgres.port()).into();
    for dribble in [false, true] {
        for script in scripts() {
            let mut direct =
                Talk::open(server, house.postgres.superuser(), house.postgres.password().expose()).await;
            let mut through = Talk::open(gate.address, "steward", support::PASSWORD).await;
            let (expected, seen) =
                (direct.play(&script, dribble).await, through.play(&script, dribble).await);
            let show = |frames: &[Frame]| {
                let text = |(tag, body): &Frame| {
                    let body: String = String::from_utf8_lossy(body).chars().take(120).collect();
                    format!("{} {body:?}", *tag as char)
                };
                frames.iter().map(text).collect::<Vec<_>>().join("\n")
            };
            assert_eq!(show(&seen), show(&expected), "script `{}`, dribbled {dribble}", script.name);
            assert!(seen == expected, "script `{}`, dribbled {dribble}: long bodies differ", script.name);
        }
    }
}

#[test]
fn a_refusal_leaves_the_protocol_as_a_failed_statement_does() {
    let house = House::build();
    let gate = house.gate();
    tokio::runtime::Runtime::new().unwrap().block_on(refuse_all(&house, &gate));
    assert_eq!(house.warehouse("dev", "SELECT count(*) FROM orders.daily"), ["500"]);
}

async fn refuse_all(house: &House, gate: &Gate) {
    let refused = "DELETE FROM orders.daily";
    let failing = "DELETE FROM orders.no_such_table";
    let shape = |frames: Vec<Frame>| -> String {
        frames.iter().map(|(tag, body)| if *tag == b'Z' { body[0] as char } else { *tag as char }).collect()
    };
    let scripts = |sql: &str| {
        vec![
            Script::new("alone").query(sql).query("SELECT 1"),
            Script::new("in a block")
                .query("BEGIN")
                .query(sql)
                .query("SELECT 1")
                .query("ROLLBACK")
                .query("SELECT 1"),
            Script::new("extended").run(sql).sync().run("SELECT 1").sync(),
            Script::new("in a pipeline")
                .run("SELECT 1")
                .run(sql)
                .run("SELECT 2")
                .sync()
                .run("SELECT 3")
                .sync(),
            Script::new("in a pipeline in a block")
                .query("BEGIN")
                .run("SELECT 1")
                .run(sql)
                .sync()
                .run("SELECT 2")
                .sync()
                .query("ROLLBACK"),
            Script::new("pipelined queries").query("SELECT 1").query(sql).query("SELECT 2"),
        ]
    };
    for (refused, failing) in scripts(refused).iter().zip(scripts(failing)) {
        let mut gated = Talk::open(gate.address, "analyst", support::PASSWORD).await;
        let mut direct = Talk::open(
            ([127, 0, 0, 1], house.postgres.port()).into(),
            house.postgres.superuser(),
            house.postgres.password().expose(),
        )
        .await;
        let (seen, expected) = (gated.play(refused, false).await, direct.play(&failing, false).await);
        assert_eq!(shape(seen), shape(expected), "{}", refused.name);
    }
}
