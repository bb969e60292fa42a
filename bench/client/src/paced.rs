//! The good clients of the hostile run: sessions that send queries at a steady pace and count
//! failures.

use crate::error::Error;
use crate::job::{Answer, Login, Timing};
use crate::session::{Session, Target, micros, percentile, warm_up};
use crate::work::on_threads;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};

/// Number, pace and duration of the sessions.
pub struct Pace {
    pub sessions: usize,
    pub time: Duration,
    /// Between the answer to one query and the next query, on average.
    pub pause: Duration,
    /// Queries after which a session closes and logs in again.
    pub queries_per_login: u64,
}

#[derive(Default)]
struct Seen {
    queries: Vec<u64>,
    logins: Vec<u64>,
    failures: BTreeMap<String, u64>,
}

/// Runs each session on a thread and adds up the results.
pub fn run(target: &Target, logins: &[Login], pace: &Pace, query: &str) -> Result<Answer, Error> {
    let parts = on_threads(pace.sessions, |n| {
        warm_up(target)?;
        let login = logins
            .get(n % logins.len())
            .ok_or_else(|| Error::Job("no login".into()))?;
        Ok(one_client(target, login, pace, query))
    })?;
    let mut all = Seen::default();
    for part in parts {
        all.queries.extend(part.queries);
        all.logins.extend(part.logins);
        for (what, count) in part.failures {
            *all.failures.entry(what).or_default() += count;
        }
    }
    Ok(Answer::Paced {
        queries: timing(all.queries),
        logins: timing(all.logins),
        failures: all.failures,
    })
}

fn one_client(target: &Target, login: &Login, pace: &Pace, query: &str) -> Seen {
    let mut seen = Seen::default();
    let began = Instant::now();
    while began.elapsed() < pace.time {
        if let Err(error) = one_session(target, login, pace, query, began, &mut seen) {
            *seen.failures.entry(error.to_string()).or_default() += 1;
            std::thread::sleep(pace.pause);
        }
    }
    seen
}

fn one_session(
    target: &Target,
    login: &Login,
    pace: &Pace,
    query: &str,
    began: Instant,
    seen: &mut Seen,
) -> Result<(), Error> {
    let this = Instant::now();
    let mut session = Session::open(target, login, None)?;
    seen.logins.push(micros(this));
    for _ in 0..pace.queries_per_login {
        if began.elapsed() >= pace.time {
            break;
        }
        let this = Instant::now();
        session.query(query)?;
        seen.queries.push(micros(this));
        std::thread::sleep(varied(pace.pause));
    }
    session.goodbye()
}

/// Returns between half the pause and one and a half times as long. With the same pause for all,
/// sessions that one stall made wait together would ask together from then on, and be measured
/// waiting for each other.
fn varied(pause: Duration) -> Duration {
    let random = std::hash::RandomState::new().build_hasher().finish();
    let part = u32::try_from(random % 1000).unwrap_or_default();
    pause / 2 + pause * part / 1000
}

fn timing(mut all: Vec<u64>) -> Timing {
    all.sort_unstable();
    Timing {
        count: all.len(),
        p50: percentile(&all, 50),
        p95: percentile(&all, 95),
        p99: percentile(&all, 99),
        max: percentile(&all, 100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_vary_around_their_average() {
        let pause = Duration::from_millis(60);
        let pauses: Vec<Duration> = (0..1000).map(|_| varied(pause)).collect();
        assert!(pauses.iter().all(|p| *p >= pause / 2 && *p < pause * 3 / 2));
        let average = pauses.iter().sum::<Duration>() / 1000;
        assert!(
            average > pause * 4 / 5 && average < pause * 6 / 5,
            "{average:?}"
        );
    }

    #[test]
    fn quantiles_come_from_what_was_measured() {
        let found = timing((1..=200).rev().collect());
        assert_eq!(
            (found.count, found.p50, found.p95, found.p99, found.max),
            (200, 101, 191, 199, 200)
        );
        let none = timing(Vec::new());
        assert_eq!((none.count, none.p99, none.max), (0, 0, 0));
    }
}
