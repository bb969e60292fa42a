//! Named time zones as SQL, written by the program that comes with MariaDB. It runs as a child
//! process that reads the system's zone files and writes to a pipe.

use crate::limits::{TEMPLATE_STEP_MAX, TZ_SQL_MAX};
use crate::local::error::TimeZonesError;
use crate::local::settings::LocalSettings;
use crate::local::start::program::on_path;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

/// Beginning of a statement that names a zone, whatever the quoting of its columns.
const MARK: &[u8] = b"INSERT INTO time_zone_name";
const ZONES: &str = "/usr/share/zoneinfo";

/// Returns the program that writes the named time zones, if it and the system's zone files are
/// there. Warns if not: clusters that are created then have no named time zones.
pub fn find(settings: &LocalSettings) -> Option<PathBuf> {
    let tool = settings
        .tzinfo_to_sql
        .clone()
        .or_else(|| std::env::var_os("TIDEGATE_TZINFO_TO_SQL").map(PathBuf::from))
        .or_else(|| on_path(&["mariadb-tzinfo-to-sql", "mysql_tzinfo_to_sql"], None))
        .filter(|tool| tool.is_file());
    let missing = match &tool {
        None => {
            "no mariadb-tzinfo-to-sql was found; hint: install mariadb-client, or set \
                 engine.tzinfo_to_sql"
        }
        Some(_) if !has_zones(Path::new(ZONES)) => {
            "/usr/share/zoneinfo has no zones; hint: install tzdata"
        }
        Some(_) => return tool,
    };
    tracing::warn!("new clusters have no named time zones: {missing}, then start the server again");
    None
}

/// Whether there is a file of a zone: all of them begin with these bytes (tzfile(5)).
fn has_zones(folder: &Path) -> bool {
    ["UTC", "Etc/UTC"].iter().any(|zone| {
        let mut start = [0; 4];
        let read = File::open(folder.join(zone)).and_then(|mut file| file.read_exact(&mut start));
        read.is_ok() && start == *b"TZif"
    })
}

/// SQL that switches the tables' logging: off while they are filled, since the log would add 16 MB
/// to every cluster.
fn alter(transactional: u8) -> Vec<u8> {
    let tables = [
        "",
        "_leap_second",
        "_name",
        "_transition",
        "_transition_type",
    ];
    let alter =
        |table| format!("ALTER TABLE mysql.time_zone{table} TRANSACTIONAL={transactional};\n");
    tables.map(alter).concat().into_bytes()
}

pub async fn time_zone_sql(tool: &Path) -> Result<Vec<u8>, TimeZonesError> {
    let mut child = Command::new(tool)
        // The statements for replication in a Galera cluster are of no use in a bootstrap.
        .args(["--skip-write-binlog", ZONES])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // It warns of every file that is no zone.
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let stdout = child.stdout.take().ok_or(TimeZonesError::NoOutput)?;
    let mut out = Vec::new();
    let read = async {
        stdout.take(TZ_SQL_MAX).read_to_end(&mut out).await?;
        child.wait().await
    };
    let status = tokio::time::timeout(TEMPLATE_STEP_MAX, read)
        .await
        .map_err(|_| TimeZonesError::Late)??;
    if !status.success() || !out.windows(MARK.len()).any(|w| w == MARK) {
        return Err(TimeZonesError::NoZones {
            status,
            bytes: out.len(),
        });
    }
    // Logging is off only while the tables are filled.
    let mut whole = alter(0);
    whole.append(&mut out);
    whole.push(b'\n');
    whole.append(&mut alter(1));
    Ok(whole)
}
