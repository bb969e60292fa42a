//! Words for what isolates the engines on a machine and enforces their limits, as `status` and
//! `config check` print them.

use tidegate_console::types::{LimitInForce, ServerWalls};

/// Returns a line for each wall.
pub fn wall_lines(walls: &ServerWalls) -> Vec<String> {
    let line = |(name, there): (&str, bool)| {
        let state = if there { "in force" } else { "not in force" };
        format!("{name:<10} {state}")
    };
    [
        ("own users", walls.own_users),
        ("Landlock", walls.landlock),
        ("seccomp", walls.seccomp),
    ]
    .map(line)
    .into()
}

/// Returns a line for each limit, with the means that enforces it.
pub fn limit_lines(limits: &[LimitInForce]) -> Vec<String> {
    let line = |limit: &LimitInForce| {
        let reason = limit.reason.as_deref();
        let reason = reason.map_or(String::new(), |reason| format!(" ({reason})"));
        format!("{:<10} {}{reason}", limit.limit, limit.by)
    };
    limits.iter().map(line).collect()
}
