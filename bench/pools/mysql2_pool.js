// mysql2's pool with idle connections. Arguments: seconds; idle, ping or query; and options of the pool in JSON. Prints
// the errors that the application sees.
const fs = require("fs");
const mysql = require("mysql2/promise");

const CONNECTIONS = 3;

async function work(pool, what, counts) {
  let connection;
  try {
    connection = await pool.getConnection();
    await (what === "ping" ? connection.ping() : connection.query("SELECT 1"));
  } catch (error) {
    const code = String(error.errno || error.code);
    counts[code] = (counts[code] || 0) + 1;
  } finally {
    if (connection) connection.release();
  }
}

async function main() {
  const [seconds, what] = [Number(process.argv[2]), process.argv[3]];
  const { TG_USER: user, TG_PASSWORD: password, TG_PORT: port, TG_CA: ca, TG_EVERY: every } = process.env;
  const pool = mysql.createPool({
    host: "localhost", port: Number(port), user, password, connectionLimit: CONNECTIONS,
    ssl: { ca: fs.readFileSync(ca), rejectUnauthorized: true, verifyIdentity: true },
    ...JSON.parse(process.argv[4] || "{}"),
  });
  const counts = {};
  await Promise.all([1, 2, 3].map(() => pool.query("SELECT SLEEP(0.1)")));
  console.log("filled");
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) {
    await new Promise((done) => setTimeout(done, Number(every) * 1000));
    if (what !== "idle") await work(pool, what, counts);
  }
  await work(pool, "query", counts);
  console.log(JSON.stringify(counts));
  await pool.end();
}

main();
