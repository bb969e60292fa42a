//! Child process of a test of this program that writes again and again until it is killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Ignored test that never ends, in its own process.
pub struct KilledChild<'a> {
    /// Full name of the test.
    pub test: &'a str,
    /// Variable with the folder in which it writes.
    pub folder: (&'a str, &'a Path),
    /// End of the line that it prints after each round.
    pub repeats: &'a str,
}

impl KilledChild<'_> {
    /// Kills it with -9 in a later round: this long after it has printed the first line.
    pub fn run_past_one(&self, delay: Duration) {
        let (variable, folder) = self.folder;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", self.test])
            .env(variable, folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().ends_with(self.repeats)));
        let until = Instant::now() + delay;
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
