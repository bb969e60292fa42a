//! Platform of this machine, on which the server and its CA file are.

use std::sync::OnceLock;
use tidegate_connect::platform_of_os_release;

/// File in which a Linux distribution names itself.
const OS_RELEASE: &str = "/etc/os-release";

/// Id for a distribution that is not in the table.
const UNKNOWN: &str = "unknown";

/// Returns the id of this machine's platform, for the strings of clients on other machines.
pub fn machine_platform() -> &'static str {
    static PLATFORM: OnceLock<&str> = OnceLock::new();
    PLATFORM.get_or_init(|| {
        let text = std::fs::read_to_string(OS_RELEASE).unwrap_or_default();
        platform_of_os_release(&text).map_or(UNKNOWN, |platform| platform.id.as_str())
    })
}
