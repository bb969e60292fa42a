//! Numbers of connections that fit into this process's limit of open files. A part of the limit is
//! reserved for engines, the store, the disk guard and the control socket.

use crate::limits::{
    DESCRIPTORS_KEPT_MAX, DESCRIPTORS_KEPT_PART, UNPROVEN_DESCRIPTORS_PART, WEB_DESCRIPTORS_PART,
};
use rustix::process::{Resource, getrlimit};
use tidegate_console::web::WebPlaces;
use tidegate_gateway::GatewaySettings;
use tidegate_gateway::limits::descriptors_max;

/// Fewest open files with which a server starts: it then has about a hundred sessions, and MariaDB
/// accepts the connections that a cluster may have by default. With 512 it would accept 82, and
/// with 32 it does not start.
pub const OPEN_FILES_MIN: u64 = 1024;

/// Maximum number of connections of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// Limit of open files they were derived from: the hard one, since the server raises its soft
    /// limit to it.
    pub open_files: u64,
    /// Configured number of connections that have not proved a password.
    pub wanted: u32,
    /// As many of them as fit.
    pub unproven: u32,
    pub sessions: usize,
    pub web: WebPlaces,
}

impl Places {
    /// Derives them for a server of this process.
    pub fn of_process(settings: &GatewaySettings) -> Self {
        let limit = getrlimit(Resource::Nofile).maximum;
        Self::within(limit.unwrap_or(u64::MAX), settings)
    }

    fn within(open_files: u64, settings: &GatewaySettings) -> Self {
        let kept = (open_files / DESCRIPTORS_KEPT_PART).min(DESCRIPTORS_KEPT_MAX);
        let rest = open_files - kept;
        let most = WebPlaces::default();
        let of_web = part_of(rest, WEB_DESCRIPTORS_PART);
        let web = WebPlaces {
            unproven: of_web.min(most.unproven),
            proven: (of_web as usize).min(most.proven),
        };
        let unproven = part_of(rest, UNPROVEN_DESCRIPTORS_PART).min(settings.unproven_total);
        let others = descriptors_max(unproven.into(), 0, !settings.proxy_networks.is_empty());
        let left = rest
            .saturating_sub(others)
            .saturating_sub(web.descriptors_max());
        // A session takes two descriptors: the client's socket and the engine's.
        let sessions = usize::try_from(left / 2).unwrap_or(usize::MAX);
        Self {
            open_files,
            wanted: settings.unproven_total,
            unproven,
            sessions: sessions.clamp(1, settings.sessions_max),
            web,
        }
    }

    /// Whether the configured number fits.
    pub fn fits(&self) -> bool {
        self.unproven == self.wanted
    }

    /// Sets the gateway's numbers.
    pub fn apply(&self, settings: &mut GatewaySettings) {
        settings.unproven_total = self.unproven;
        settings.sessions_max = self.sessions;
    }

    /// Returns a line that says what does not fit, with a hint.
    pub fn warning(&self) -> Option<String> {
        let Self {
            open_files,
            wanted,
            unproven,
            sessions,
            ..
        } = self;
        (!self.fits()).then(|| {
            format!(
                "gateway.unproven_total = {wanted} does not fit into the limit of {open_files} \
                 open files: the server has {unproven} places for connections before their \
                 login, and {sessions} for sessions. hint: raise the hard limit (LimitNOFILE of a \
                 systemd service, `ulimit -Hn` in a shell)"
            )
        })
    }
}

/// Returns a fraction of the descriptors, at least 1.
fn part_of(descriptors: u64, part: u64) -> u32 {
    u32::try_from(descriptors / part).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_connections_together_leave_a_part_of_the_descriptors() {
        let settings = GatewaySettings::default();
        for limit in [1024, 4096, 20_000, 65_536, 524_288, 1 << 30, u64::MAX] {
            let places = Places::within(limit, &settings);
            let taken = descriptors_max(places.unproven.into(), places.sessions as u64, false)
                .saturating_add(places.web.descriptors_max());
            let kept = limit - taken;
            assert!(
                kept >= (limit / DESCRIPTORS_KEPT_PART).min(DESCRIPTORS_KEPT_MAX),
                "{places:?} leave {kept}"
            );
            assert!(
                places.unproven >= 100 && places.sessions >= 100,
                "{places:?}"
            );
            assert!(
                places.web.unproven >= 16 && places.web.proven >= 16,
                "{places:?}"
            );
            assert_eq!(places.fits(), limit >= 65_536, "{places:?}");
            assert_eq!(places.warning().is_none(), places.fits());
        }
    }

    #[test]
    fn a_small_configured_number_fits_and_leaves_more_sessions() {
        let settings = GatewaySettings {
            unproven_total: 32,
            ..GatewaySettings::default()
        };
        let few = Places::within(1024, &settings);
        let many = Places::within(1024, &GatewaySettings::default());
        assert_eq!((few.unproven, few.warning()), (32, None));
        assert!(few.sessions > many.sessions);
        let text = many.warning().unwrap();
        assert!(
            text.contains("8192") && text.contains("1024") && text.contains("hint: "),
            "{text}"
        );
    }

    #[test]
    fn even_a_tiny_limit_gives_a_place_of_each_kind() {
        let places = Places::within(16, &GatewaySettings::default());
        assert!(places.unproven >= 1 && places.sessions >= 1 && places.web.proven >= 1);
    }
}
