//! Places for connections that fit into this process's limit of open files. Engines, the store, the
//! disk guard and the control socket take descriptors of the same limit, so a part of it is theirs.

use crate::limits::{
    DESCRIPTORS_KEPT_MAX, DESCRIPTORS_KEPT_PART, UNPROVEN_DESCRIPTORS_PART, WEB_DESCRIPTORS_PART,
};
use rustix::process::{Resource, getrlimit};
use tidegate_console::web::WebPlaces;
use tidegate_gateway::GatewaySettings;
use tidegate_gateway::limits::descriptors_max;

/// How many connections of each kind there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// Limit that they were derived from: the hard one, since the server raises its own to it.
    pub open_files: u64,
    /// Connections that have not proved a password, as configured.
    pub wanted: u32,
    /// The number of them that fits.
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
        let share = |part: u64| u32::try_from(rest / part).unwrap_or(u32::MAX).max(1);
        let most = WebPlaces::default();
        let web = WebPlaces {
            unproven: share(WEB_DESCRIPTORS_PART).min(most.unproven),
            proven: (share(WEB_DESCRIPTORS_PART) as usize).min(most.proven),
        };
        let unproven = share(UNPROVEN_DESCRIPTORS_PART).min(settings.unproven_total);
        let others = descriptors_max(unproven.into(), 0, !settings.proxy_networks.is_empty());
        let left = rest
            .saturating_sub(others)
            .saturating_sub(web.descriptors_max());
        let sessions = usize::try_from(left / 2).unwrap_or(usize::MAX);
        Self {
            open_files,
            wanted: settings.unproven_total,
            unproven,
            sessions: sessions.clamp(1, settings.sessions_max),
            web,
        }
    }

    /// Whether the configured number is possible.
    pub fn fits(&self) -> bool {
        self.unproven == self.wanted
    }

    /// Sets what the gateway gets.
    pub fn apply(&self, settings: &mut GatewaySettings) {
        settings.unproven_total = self.unproven;
        settings.sessions_max = self.sessions;
    }

    /// Says what does not fit and what to do, in one line.
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
