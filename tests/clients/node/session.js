"use strict";
// A session of node-postgres: a line of output for each operation.
// Arguments: table, file of statements, refused statement (instead of the session).

const fs = require("node:fs");
const { pipeline } = require("node:stream/promises");
const { Readable } = require("node:stream");
const { once } = require("node:events");
const { Client, Pool, types } = require("pg");
const Cursor = require("pg-cursor");
const QueryStream = require("pg-query-stream");
const { from: copyFrom, to: copyTo } = require("pg-copy-streams");

const [table, statementsFile, bad] = process.argv.slice(2);
const login = {
  host: process.env.PGHOST, port: Number(process.env.PGPORT), database: process.env.PGDATABASE,
  user: process.env.PGUSER, password: process.env.PGPASSWORD,
  ssl: process.env.GATE_CA ? { ca: fs.readFileSync(process.env.GATE_CA, "utf8") } : false,
};
const ENDLESS = "SELECT count(*) FROM generate_series(1, 200000000)";
const notices = [];

async function connect(options = {}) {
  const client = new Client({ ...login, ...options });
  // Connections that a test breaks off tell of it.
  client.on("error", () => {});
  await client.connect();
  client.on("notice", (notice) => notices.push(`${notice.severity} ${notice.code} ${notice.message}`));
  return client;
}

function told(error) {
  const names = ["severity", "code", "message", "detail", "hint", "position", "constraint", "routine"];
  return { error: names.map((name) => error[name] ?? null) };
}

function described(result) {
  if (Array.isArray(result)) return result.map(described);
  return {
    command: result.command, count: result.rowCount, rows: result.rows,
    fields: (result.fields ?? []).map((field) => [field.name, field.dataTypeID, field.dataTypeSize, field.dataTypeModifier, field.format]),
  };
}

function text(value) {
  return JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? `${inner}n` : inner));
}

async function tell(name, operation) {
  notices.length = 0;
  let outcome;
  try {
    outcome = await operation();
  } catch (error) {
    outcome = told(error);
  }
  console.log(`${name} => ${text(outcome)} ${text(notices)}`);
}

async function failed(operation) {
  try {
    return { succeeded: await operation() };
  } catch (error) {
    return error.code === "25P02" ? "failed as in a failed transaction" : "failed";
  }
}

async function rowsOf(stream) {
  const rows = [];
  for await (const row of stream) rows.push(row);
  return rows;
}

async function statements(client) {
  const all = fs.readFileSync(statementsFile, "utf8").split("\n").filter(Boolean);
  const run = async (options) => described(await client.query(options));
  for (const sql of all) await tell(sql, () => run({ text: sql }));
  for (const sql of all) await tell(`extended: ${sql}`, () => run({ text: sql, queryMode: "extended", rowMode: "array" }));
  for (const sql of all) await tell(`binary: ${sql}`, () => run({ text: sql, queryMode: "extended", binary: true }));
  await tell("made again", () => run({ text: `${all[0]};${all[1]}` }));
  await tell("several statements", () => run({ text: `SELECT 1 AS a; UPDATE ${table} SET name = name; SELECT 'b', 2` }));
  await tell("several with an error", () => run({ text: "SELECT 1; SELECT 1/0; SELECT 2" }));
  await tell("an empty text", () => run({ text: "" }));
  await tell("a comment", () => run({ text: "-- nothing" }));
}

async function parameters(client) {
  const query = async (sql, values) => described(await client.query(sql, values));
  await tell("parameters", () => query("SELECT $1::int, $2::text, $3::float8, $4::bool, $5::jsonb, $6::bytea, $7::timestamptz, $8::int[]",
    [1, "ü", 1.5, true, { a: [1, null] }, Buffer.from([0, 255]), new Date(0), [1, 2, null]]));
  await tell("nulls", () => query("SELECT $1::int, $2::text", [null, undefined]));
  await tell("a wrong parameter", () => query("SELECT $1::int", ["x"]));
  await tell("too few parameters", () => query("SELECT $1::int + $2::int", [1]));
  await tell("too many parameters", () => query("SELECT $1::int", [1, 2]));
  await tell("a named statement", async () => {
    const found = [];
    for (let n = 0; n < 5; n++) found.push(described(await client.query({ name: "named", text: "SELECT $1::int * 2 AS n", values: [n] })));
    return [found, described(await client.query("SELECT count(*) FROM pg_prepared_statements WHERE name = 'named'"))];
  });
  await tell("a named statement that fails", () => client.query({ name: "failing", text: "SELECT 1 / $1::int", values: [0] }));
  await tell("the same again", async () => described(await client.query({ name: "failing", text: "SELECT 1 / $1::int", values: [1] })));
  await tell("a name with another text", () => client.query({ name: "named", text: "SELECT 'other'" }));
  await tell("a name whose text is wrong", () => client.query({ name: "wrong", text: "SELECT nothing FROM orders.orders" }));
  await tell("the name again, with a right text", async () => described(await client.query({ name: "right", text: "SELECT 'right'" })));
  await tell("queued at once", async () => (await Promise.all(Array.from({ length: 50 }, (_, n) => client.query("SELECT $1::int AS n", [n]))))
    .map((found) => found.rows[0].n));
  await tell("an error among those queued", async () => (await Promise.allSettled(["SELECT 1", "SELECT 1/0", "SELECT 3"].map((sql) => client.query(sql))))
    .map((found) => [found.status, found.value?.rows ?? found.reason.code]));
  await tell("returned rows", () => query(`INSERT INTO ${table} VALUES ($1, $2, $3, NULL) RETURNING id, name, amount`, [50, "fifty", "5.25"]));
  await tell("a constraint", () => query(`INSERT INTO ${table} VALUES ($1, $2)`, [50, "again"]));
  await tell("a type parser", async () => {
    const found = await client.query({ text: "SELECT 9007199254740993::int8 AS big", types: { getTypeParser: (oid, format) => (oid === types.builtins.INT8 ? BigInt : types.getTypeParser(oid, format)) } });
    return found.rows;
  });
  await tell("times", () => query("SELECT '2026-01-01'::date, '2026-01-01 10:00'::timestamp, '1 day 02:03'::interval, point(1, 2)"));
}

async function cursors(client) {
  for (const size of [1, 7, 1000]) {
    await tell(`a cursor read by ${size}`, async () => {
      const cursor = client.query(new Cursor("SELECT g FROM generate_series(1, $1::int) g", [50]));
      const found = [];
      for (let rows = await cursor.read(size); rows.length > 0; rows = await cursor.read(size)) found.push(rows.length);
      await cursor.close();
      return found;
    });
  }
  await tell("a cursor closed early", async () => {
    const cursor = client.query(new Cursor("SELECT g FROM generate_series(1, 100000) g"));
    const rows = await cursor.read(10);
    await cursor.close();
    return [rows, described(await client.query("SELECT 'goes on'"))];
  });
  await tell("a cursor that fails late", async () => {
    const cursor = client.query(new Cursor("SELECT 1 / (50 - g) FROM generate_series(1, 100) g"));
    const found = [];
    try {
      for (let rows = await cursor.read(10); rows.length > 0; rows = await cursor.read(10)) found.push(rows.length);
    } catch (error) {
      found.push(told(error));
    }
    return found;
  });
  await tell("after it", async () => described(await client.query("SELECT 'goes on'")));
  await tell("a stream of rows", async () => rowsOf(client.query(new QueryStream("SELECT g, g::text FROM generate_series(1, $1::int) g", [2500], { batchSize: 100 }))));
  await tell("a stream left early", async () => {
    const stream = client.query(new QueryStream("SELECT g FROM generate_series(1, 100000) g", [], { batchSize: 10 }));
    const found = [];
    for await (const row of stream) {
      found.push(row);
      if (found.length === 15) break;
    }
    return [found, described(await client.query("SELECT 'goes on'"))];
  });
}

async function copies(client) {
  const copyIn = async (sql, chunks) => {
    const stream = client.query(copyFrom(sql));
    await pipeline(Readable.from(chunks), stream);
    return stream.rowCount;
  };
  const copyOut = async (sql) => Buffer.concat(await rowsOf(client.query(copyTo(sql)))).toString();
  const count = async () => (await client.query(`SELECT count(*) FROM ${table}`)).rows;
  const lines = Array.from({ length: 3000 }, (_, n) => `${n + 1000}\tcopied ${n}\n`);
  await tell("copied in", () => copyIn(`COPY ${table} (id, name) FROM STDIN`, lines));
  await tell("copied in as csv", () => copyIn(`COPY ${table} (id, name) FROM STDIN (FORMAT csv)`, ["5000,\"a,", "\"\"b\"\n"]));
  await tell("a bad row copied in", () => copyIn(`COPY ${table} (id, name) FROM STDIN`, ["bad\tx\n"]));
  await tell("a source that breaks", async () => {
    const broken = async function* () {
      yield "6000\tx\n";
      throw new Error("broken");
    };
    return copyIn(`COPY ${table} (id, name) FROM STDIN`, broken());
  });
  await tell("what is there", count);
  await tell("copied out", () => copyOut(`COPY (SELECT * FROM ${table} ORDER BY id) TO STDOUT (FORMAT csv, HEADER)`));
  await tell("copied from what is missing", () => copyOut("COPY orders_mart.nowhere TO STDOUT"));
  await tell("a copy out that fails", () => copyOut("COPY (SELECT 1 / (50 - g) FROM generate_series(1, 100) g) TO STDOUT"));
  await tell("after it", count);
}

async function transactions(client) {
  const each = async (texts) => {
    const found = [];
    for (const sql of texts) {
      try {
        found.push(described(await client.query(sql)));
      } catch (error) {
        found.push(told(error));
      }
    }
    return found;
  };
  await tell("a transaction", () => each(["BEGIN", `DELETE FROM ${table}`, "ROLLBACK", `SELECT count(*) FROM ${table}`]));
  await tell("a failed transaction", () => each(["BEGIN", "SELECT 1/0", "SELECT 1", "COMMIT", "SELECT 2"]));
  await tell("savepoints", () => each(["BEGIN", "SAVEPOINT s", "SELECT 1/0", "SELECT 1", "ROLLBACK TO s", "SELECT 2", "COMMIT"]));
  await tell("warnings", () => each(["BEGIN", "BEGIN", "COMMIT", "COMMIT"]));
  await tell("read only", () => each(["BEGIN READ ONLY", `DELETE FROM ${table}`, "ROLLBACK"]));
  await tell("isolation", () => each(["BEGIN ISOLATION LEVEL SERIALIZABLE", "SHOW transaction_isolation", "COMMIT"]));
}

async function connections(client) {
  await tell("a pool", async () => {
    const pool = new Pool({ ...login, max: 4 });
    const found = await Promise.all(Array.from({ length: 40 }, (_, n) => pool.query("SELECT $1::int AS n", [n])));
    await pool.end();
    return found.map((result) => result.rows[0].n);
  });
  await tell("a statement timeout", async () => {
    const other = await connect({ statement_timeout: 200 });
    try {
      return await other.query(ENDLESS);
    } finally {
      await other.end();
    }
  });
  await tell("an application's name", async () => {
    const other = await connect({ application_name: "told" });
    const found = await other.query("SHOW application_name");
    await other.end();
    return found.rows;
  });
  await tell("a query timeout of the client", async () => {
    const other = await connect();
    try {
      return await other.query({ text: "SELECT count(*) FROM generate_series(1, 3000000)", query_timeout: 50 });
    } finally {
      other.connection.stream.destroy();
    }
  });
  await tell("a wrong database", async () => connect({ database: "nowhere" }).then(() => "connected", () => "failed"));
  await tell("a wrong password", async () => connect({ password: "wrong" }).then(() => "connected", (error) => error.code));
  await tell("identifiers are quoted", async () => [client.escapeIdentifier("a\"b"), client.escapeLiteral("it's\\")]);
  await tell("the table is dropped", async () => described(await client.query(`DROP TABLE ${table}`)));
}

async function refusals(client) {
  const left = async () => (await client.query("SELECT * FROM left_behind ORDER BY a")).rows;
  const insert = "INSERT INTO left_behind VALUES ";
  await client.query("CREATE TEMP TABLE left_behind (a int)");
  await tell("alone", async () => [await failed(() => client.query(bad)), await left()]);
  await tell("prepared", async () => [await failed(() => client.query({ name: "bad", text: bad })), await failed(() => client.query({ name: "bad", text: bad })), await left()]);
  await tell("in a text of several", async () => [await failed(() => client.query(`${insert}(1);${bad};${insert}(2)`)), await left()]);
  await tell("among those queued", async () => (await Promise.allSettled([`${insert}(3)`, bad, `${insert}(4)`].map((sql) => client.query(sql)))).map((found) => found.status));
  await tell("through a cursor", async () => [await failed(() => client.query(new Cursor(bad)).read(1)), await left()]);
  await tell("in a transaction", async () => {
    await client.query(`BEGIN; ${insert}(5)`);
    const found = [await failed(() => client.query(bad)), await failed(() => client.query("SELECT 1")), (await client.query("COMMIT")).command];
    return [found, await left()];
  });
  await tell("in a savepoint", async () => {
    await client.query("BEGIN");
    await client.query("SAVEPOINT s");
    const found = [await failed(() => client.query(bad, [])), await failed(() => client.query("SELECT $1::int", [1]))];
    await client.query("ROLLBACK TO s");
    await client.query(`${insert}(6)`);
    return [found, (await client.query("COMMIT")).command, await left()];
  });
}

async function main() {
  const client = await connect();
  if (bad) {
    await refusals(client);
  } else {
    await statements(client);
    await parameters(client);
    await cursors(client);
    await copies(client);
    await transactions(client);
    await connections(client);
  }
  const ended = once(client, "end");
  await client.end();
  await ended;
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
