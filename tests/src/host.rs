//! Scripts that change the host of one server in a test, by namespaces. Each executes the server at
//! its end, so that the process is the same.

use crate::not_run;
use std::process::Command;

/// Root of a user namespace with these numbers, in lines of: inside, outside, count. Written from
/// outside, as newuidmap(1) does.
pub fn namespace_with(numbers: &str) -> String {
    let map = numbers.trim_end().replace('\n', "\\n");
    format!(
        r#"
outer=$(readlink /proc/$$/ns/user)
(
  while [ "$(readlink /proc/$$/ns/user)" = "$outer" ]; do sleep 0.01; done
  printf '{map}\n' >/proc/$$/uid_map
  printf '{map}\n' >/proc/$$/gid_map
) &
exec unshare --user sh -c '
  until grep -q . /proc/self/gid_map; do sleep 0.01; done
  exec "$@"' sh "$@"
"#
    )
}

/// Private view of the file system: `mounts` changes it, then the server starts.
pub fn mounted(mounts: &str) -> String {
    format!(
        r#"export DIR
exec unshare --mount --propagation private sh -ec '{mounts}
exec "$@"' sh "$@""#
    )
}

/// Whether this machine can change a host in this way. If not, says why the test does not run.
pub fn can_change(host: &str) -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let tried = Command::new("sh")
        .args(["-ec", &format!("DIR=$0; {host}")])
        .arg(folder.path())
        .arg("true")
        .output();
    if tried.as_ref().is_ok_and(|out| out.status.success()) {
        return true;
    }
    let why = tried.map_or_else(
        |error| error.to_string(),
        |out| String::from_utf8_lossy(&out.stderr).trim().to_owned(),
    );
    not_run(&format!("the host can't be changed here: {why}"));
    false
}
