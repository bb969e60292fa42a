// Program of Node's drivers: steps.js mysql2|mariadb MODULES STATEMENTS|login.

const { createHash } = require("node:crypto");
const fs = require("node:fs");
const { createRequire } = require("node:module");
const { pathToFileURL } = require("node:url");

const [, , driver, modules, file] = process.argv;
const env = process.env;
let library;

function shown(key, value) {
  if (Buffer.isBuffer(this[key])) {
    const data = this[key];
    return `Buffer ${data.length} ` + (data.length > 100 ? createHash("sha256").update(data).digest("hex") : data.toString("hex"));
  }
  if (typeof value === "bigint") return `bigint ${value}`;
  if (typeof value === "string" && value.length > 300) return `string ${value.length} ` + createHash("sha256").update(value).digest("hex");
  return value;
}

function emit(step, seen) {
  console.log(JSON.stringify({ step, ...seen }, shown));
}

function refusal(error) {
  // Without the number of the connection and the statement, which one driver adds.
  const text = String(error.sqlMessage ?? error.message).replace(/^\(conn[^)]*\) /, "");
  return [error.errno, error.sqlState, error.code, text];
}

function options(more = {}) {
  return {
    host: env.TG_HOST, port: Number(env.TG_PORT), user: env.TG_USER, password: env.TG_PASSWORD, database: env.TG_DATABASE,
    ssl: { ca: fs.readFileSync(env.TG_CA) }, multipleStatements: true, permitLocalInfile: true, bigNumberStrings: true,
    supportBigNumbers: true, dateStrings: true,
    // The gateway delays denials; one of the drivers waits only a second by default.
    connectTimeout: 60000, ...more,
  };
}

function columns(meta) {
  if (!meta) return null;
  return (Array.isArray(meta) ? meta : [meta]).map((c) => {
    if (Array.isArray(c)) return columns(c);
    if (!c || typeof c !== "object") return c ?? null;
    const name = typeof c.name === "function" ? c.name() : c.name;
    return [name, c.columnType ?? c.type, c.columnLength, c.flags, c.characterSet ?? c.collation?.index, c.decimals ?? c.scale];
  });
}

async function run(conn, step, sql, values, how = "query") {
  try {
    const answer = await conn[how](sql, values);
    const [rows, meta] = driver === "mysql2" ? answer : [answer, answer?.meta];
    emit(step, { rows, columns: columns(meta) });
  } catch (error) {
    emit(step, { error: refusal(error) });
  }
}

async function statements(conn) {
  const lines = fs.readFileSync(file, "utf8").split("\n").filter((line) => line && !line.startsWith("# "));
  let number = 0;
  for (const sql of lines) {
    number += 1;
    const step = `${number} ${sql.slice(0, 60)}`;
    await run(conn, step, sql);
    if (/^(select|show|with)/.test(sql)) await run(conn, `prepared ${step}`, sql, [], "execute");
  }
}

async function changed(conn, step, call) {
  try {
    await call(conn);
    emit(step, { done: true });
  } catch (error) {
    emit(step, { error: refusal(error) });
  }
}

async function refused(step, more) {
  try {
    const conn = await library.createConnection(options(more));
    await conn.end();
    emit(step, { connected: true });
  } catch (error) {
    emit(step, { error: refusal(error) });
  }
}

async function pool() {
  const more = driver === "mariadb" ? { connectionLimit: 1, resetAfterUse: true } : { connectionLimit: 1 };
  const pool = library.createPool(options(more));
  const first = await pool.getConnection();
  await first.query("set @who = 'alice', sql_mode = 'ANSI'");
  await first.release();
  const second = await pool.getConnection();
  await run(second, "pool", "select @who, @@sql_mode");
  await second.release();
  await pool.end();
}

async function main() {
  const found = createRequire(`${modules}/any.js`).resolve(driver === "mysql2" ? "mysql2/promise" : driver);
  library = await import(pathToFileURL(found));
  let conn = await library.createConnection(options());
  if (file === "login") return conn.end();
  await statements(conn);
  await conn.end();
  conn = await library.createConnection(options());
  await run(conn, "parameters", "select ?, ?, ?, ?", [1, 2.5, "ä", Buffer.from([0, 255])], "execute");
  await run(conn, "large", "select repeat('x', 17000000) as x");
  await run(conn, "long", "select length(?) as n", ["y".repeat(17000000)]);
  await run(conn, "create for batch", "create or replace table batched (a int primary key, b varchar(10))");
  if (driver === "mariadb") await run(conn, "batch", "insert into batched values (?, ?)", [[1, "a"], [2, null], [3, "c"]], "batch");
  await run(conn, "count of batch", "select * from batched order by a");
  await run(conn, "drop of batch", "drop table batched");
  await changed(conn, "begin", (c) => c.beginTransaction());
  await changed(conn, "rollback", (c) => c.rollback());
  await changed(conn, "ping", (c) => c.ping());
  await changed(conn, "reset", (c) => c.reset());
  await run(conn, "before change of user", "set @who = 'alice', sql_mode = 'ANSI'");
  await changed(conn, "change of user", (c) => c.changeUser({ user: env.TG_USER, password: env.TG_PASSWORD, database: env.TG_DATABASE }));
  await run(conn, "after change of user", "select @who, @@sql_mode, database(), @@collation_connection");
  if (driver === "mariadb") await run(conn, "query timeout", { sql: "select sleep(5)", timeout: 300 });
  await run(conn, "planted", `select '${env.TG_SIDE}' as side`);
  await conn.end();
  await pool();
  await refused("refused password", { password: "wrong" });
  await refused("unknown database", { database: "no_such_database" });
}

main().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
