//! Settings of the rooms, filled from the configuration.

use crate::config::Config;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tidegate_control::{ControlSettings, WebSessionLife};
use tidegate_engine::{CgroupChoice, EngineSettings, KindGreeting, MoreKinds, UidChoice};
use tidegate_gateway::GatewaySettings;
use tidegate_model::{ClusterLimits, Wording};

pub fn engine_settings(config: &Config, data: &Path) -> Result<EngineSettings> {
    let mut settings = EngineSettings::new(data.to_owned());
    settings.local.mariadbd = config.file("engine.mariadbd")?;
    settings.local.tzinfo_to_sql = config
        .file("engine.tzinfo_to_sql")?
        .or_else(unpacked_tzinfo);
    settings.awake_memory_max_bytes =
        EngineSettings::part_of_memory(config.count("engine.awake_memory_percent")?);
    settings.local.cgroup =
        CgroupChoice::parse(config.text("engine.cgroup")?).map_err(anyhow::Error::msg)?;
    Ok(settings)
}

/// Returns the copy that `script/setup` unpacks: Debian's package would install many other programs
/// too.
fn unpacked_tzinfo() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    let tool = cache.join("tidegate/tzinfo/usr/bin/mariadb-tzinfo-to-sql");
    tool.is_file().then_some(tool)
}

/// Returns the settings of the gateway. `greeting` is that of the default kind of engine.
pub fn gateway_settings(config: &Config, greeting: KindGreeting) -> Result<GatewaySettings> {
    let networks = config.networks("gateway.proxy_networks")?;
    Ok(GatewaySettings {
        proxy_networks: networks
            .iter()
            .map(|(ip, bits)| format!("{ip}/{bits}").parse())
            .collect::<Result<_, _>>()?,
        login_deadline: config.duration("gateway.login_deadline")?,
        unproven_per_source: u32::try_from(config.count("gateway.unproven_per_source")?)?,
        unproven_total: u32::try_from(config.count("gateway.unproven_total")?)?,
        sessions_max: tidegate_gateway::limits::SESSIONS_MAX,
        unproven_memory: config
            .count("gateway.unproven_memory_mb")?
            .saturating_mul(1 << 20),
        held_per_cluster: config.size("gateway.held_per_cluster")?,
        stop_grace: config.duration("gateway.stop_grace")?,
        tls12_records_max: config.count("gateway.tls12_records_max")?,
        server_version: greeting.version,
        capabilities: greeting.capabilities,
        compression: config.text("gateway.compression")? == "yes",
        wording: Arc::new(Wording::new(
            config.text("gateway.help_base")?,
            tidegate_connect::client_hints(),
        )?),
    })
}

/// Returns the settings of the store, the engines and the console's sessions.
pub fn control_settings(
    config: &Config,
    root: &Path,
    more_kinds: MoreKinds,
) -> Result<ControlSettings> {
    let mut engine = engine_settings(config, root)?;
    engine.more_kinds = more_kinds;
    Ok(ControlSettings {
        after_step: None,
        engine,
        uids: UidChoice::parse(config.text("engine.uids")?).map_err(anyhow::Error::msg)?,
        limits: cluster_limits(config)?,
        web: session_life(config)?,
    })
}

/// Returns the limits of new clusters.
fn cluster_limits(config: &Config) -> Result<ClusterLimits> {
    Ok(ClusterLimits {
        connections_max: u32::try_from(config.count("cluster.connections_max")?)?,
        sleep_after: config.duration("cluster.sleep_after")?,
        transaction_idle_max: config.duration("cluster.transaction_idle_max")?,
        memory_max_bytes: config.size("cluster.memory_max")?,
        disk_max_bytes: config.size("cluster.disk_max")?,
        cpu_weight: u32::try_from(config.count("cluster.cpu_weight")?)?,
        tasks_max: u32::try_from(config.count("cluster.tasks_max")?)?,
    })
}

/// Returns how long a browser stays signed in.
fn session_life(config: &Config) -> Result<WebSessionLife> {
    let idle = config.duration("console.session_idle")?;
    let most = config.duration("console.session_life")?;
    Ok(WebSessionLife { idle, most })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_model::{Refusal, RefusalKind};

    fn greeting() -> KindGreeting {
        KindGreeting {
            version: "5.5.5-10.11.19-MariaDB".to_owned(),
            ..KindGreeting::default()
        }
    }

    #[test]
    fn defaults_of_the_gateway_are_the_rooms_own() {
        let ours = gateway_settings(&Config::defaults().unwrap(), greeting()).unwrap();
        let room = GatewaySettings::default();
        assert_eq!(ours.server_version, "5.5.5-10.11.19-MariaDB");
        assert_eq!(ours.offered(), room.offered());
        assert_eq!(ours.compression, room.compression);
        assert_eq!(ours.login_deadline, room.login_deadline);
        assert_eq!(ours.unproven_per_source, room.unproven_per_source);
        assert_eq!(ours.unproven_total, room.unproven_total);
        assert_eq!(ours.unproven_memory, room.unproven_memory);
        assert_eq!(ours.held_per_cluster, room.held_per_cluster);
        assert_eq!(ours.stop_grace, room.stop_grace);
        assert_eq!(ours.tls12_records_max, room.tls12_records_max);
        assert_eq!(ours.proxy_networks, room.proxy_networks);
    }

    #[test]
    fn each_error_text_links_to_a_page_that_is_there() {
        let settings = gateway_settings(&Config::defaults().unwrap(), greeting()).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for kind in RefusalKind::ALL {
            let text = settings.wording.text(&Refusal::new(*kind), None);
            let (_, link) = text.rsplit_once(" See ").unwrap();
            let file = link
                .strip_prefix(concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/"))
                .unwrap();
            assert!(root.join(file).is_file(), "{link}");
        }
    }
}
