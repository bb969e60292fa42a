//! A small client that speaks to an engine as the gateway does.

use tidegate_model::EngineAddress;
use tidegate_wire::auth::stage1;
use tidegate_wire::capabilities::Capabilities;
use tidegate_wire::client::{ClientIdentity, ClientLogin, ClientStep};
use tidegate_wire::packet::{Packet, PacketReader};
use tidegate_wire::query::{self, Outcome, ResultReader};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

const CAPABILITIES: Capabilities = Capabilities(
    Capabilities::LONG_PASSWORD.0
        | Capabilities::PROTOCOL_41.0
        | Capabilities::SECURE_CONNECTION.0
        | Capabilities::PLUGIN_AUTH.0
        | Capabilities::TRANSACTIONS.0
        | Capabilities::DEPRECATE_EOF.0,
);

pub struct Client {
    stream: UnixStream,
    buffer: Vec<u8>,
}

impl Client {
    /// Logs in as root, with the password that `EnginesFixture::create` sets.
    pub async fn root(address: &EngineAddress) -> Self {
        Self::login(address, "root", "first").await.unwrap()
    }

    pub async fn login(
        address: &EngineAddress,
        user: &str,
        password: &str,
    ) -> Result<Self, String> {
        let EngineAddress::Unix(path) = address;
        let stream = UnixStream::connect(path).await.map_err(|e| e.to_string())?;
        let mut this = Self {
            stream,
            buffer: Vec::new(),
        };
        let header = tidegate_wire::proxy::encode_v2(Some((
            "203.0.113.9:4711".parse().unwrap(),
            "10.0.0.1:4000".parse().unwrap(),
        )));
        this.stream
            .write_all(&header)
            .await
            .map_err(|e| e.to_string())?;
        let mut login = ClientLogin::new(ClientIdentity {
            user: user.as_bytes().to_vec(),
            stage1: (!password.is_empty()).then(|| stage1(password.as_bytes())),
            database: None,
            capabilities: CAPABILITIES,
            collation: 45,
            max_packet: 1 << 24,
            attributes: Vec::new(),
            tls: false,
        });
        loop {
            let packet = this.packet().await?;
            match login.on_packet(packet).map_err(|e| e.to_string())? {
                ClientStep::Send(bytes) => this
                    .stream
                    .write_all(&bytes)
                    .await
                    .map_err(|e| e.to_string())?,
                ClientStep::Done { .. } => return Ok(this),
                ClientStep::Secure(_) => unreachable!("it did not ask for TLS"),
                ClientStep::Refused(e) => return Err(e.message_lossy()),
            }
        }
    }

    async fn packet(&mut self) -> Result<Packet, String> {
        let mut reader = PacketReader::new(0xFF_FFFF);
        loop {
            let (taken, packet) = reader.feed(&self.buffer).map_err(|e| e.to_string())?;
            self.buffer.drain(..taken);
            if let Some(packet) = packet {
                return Ok(packet);
            }
            let mut chunk = [0u8; 8192];
            let got = self
                .stream
                .read(&mut chunk)
                .await
                .map_err(|e| e.to_string())?;
            if got == 0 {
                return Err("closed".to_owned());
            }
            self.buffer.extend_from_slice(&chunk[..got]);
        }
    }

    pub async fn query(&mut self, sql: &str) -> Result<Vec<Vec<String>>, String> {
        self.stream
            .write_all(&query::encode(sql))
            .await
            .map_err(|e| e.to_string())?;
        let mut reader = ResultReader::new(CAPABILITIES);
        loop {
            let packet = self.packet().await?;
            match reader.on_packet(&packet).map_err(|e| e.to_string())? {
                None => {}
                Some(Outcome::Refused(e)) => {
                    return Err(format!("{} ({})", e.message_lossy(), e.code));
                }
                Some(Outcome::Done(_)) => return Ok(Vec::new()),
                Some(Outcome::Rows(rows)) => {
                    return Ok(rows
                        .into_iter()
                        .map(|row| row.into_iter().map(text_of).collect())
                        .collect());
                }
            }
        }
    }

    /// Returns the first column of the first row.
    pub async fn one(&mut self, sql: &str) -> String {
        self.query(sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}"))[0][0]
            .clone()
    }

    pub async fn run(&mut self, sql: &str) {
        self.query(sql)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
}

fn text_of(column: Option<Vec<u8>>) -> String {
    column.map_or_else(
        || "NULL".to_owned(),
        |bytes| String::from_utf8_lossy(&bytes).into_owned(),
    )
}

/// Gives root all rights, through a second user whose rights cover the system tables by a pattern,
/// and logs it in.
pub async fn almighty(address: &EngineAddress) -> Client {
    let mut root = Client::login(address, "root", "first").await.unwrap();
    root.run("CREATE USER climber@'%' IDENTIFIED BY 'up'").await;
    root.run("GRANT ALL ON `%`.* TO climber@'%'").await;
    let mut climber = Client::login(address, "climber", "up").await.unwrap();
    climber
        .run(
            "UPDATE mysql.global_priv SET Priv = JSON_SET(Priv, '$.access', \
         18446744073709551615) WHERE User = 'root'",
        )
        .await;
    root.run("FLUSH PRIVILEGES").await;
    root.run("DROP USER climber@'%'").await;
    let mut tenant = Client::login(address, "root", "first").await.unwrap();
    let grants = tenant.one("SHOW GRANTS").await;
    assert!(
        grants.contains("ALL PRIVILEGES ON *.*"),
        "root has not got all rights: {grants}"
    );
    tenant
}
