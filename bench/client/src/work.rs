//! The measurements. Each times only what its name says, and fails completely if one connection
//! fails.

use crate::error::Error;
use crate::job::{Answer, Job, Kind, Login, Work};
use crate::limits;
use crate::paced::{self, Pace};
use crate::session::{Outcome, Session, Target, micros, percentile, warm_up};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Barrier;
use std::time::{Duration, Instant};

pub fn run(job: &Job) -> Result<(Answer, Vec<Session>), Error> {
    let target = Target::new(&job.endpoint)?;
    warm_up(&target)?;
    let first = job
        .logins
        .first()
        .ok_or_else(|| Error::Job("no login".into()))?;
    let answer = match &job.work {
        Work::Connect {
            threads,
            seconds,
            query,
        } => {
            let time =
                Duration::try_from_secs_f64(*seconds).map_err(|e| Error::Job(e.to_string()))?;
            connect(
                &target,
                first,
                bounded(*threads, limits::THREADS_MAX)?,
                time,
                query,
            )?
        }
        Work::FirstRow { query } => first_row(&target, first, query)?,
        Work::Idle { sessions, query } => {
            return idle(
                &target,
                job,
                bounded(*sessions, limits::SESSIONS_MAX)?,
                query,
            );
        }
        Work::Verdict { each, threads } => verdict(
            &target,
            &job.logins,
            *each,
            bounded(*threads, limits::THREADS_MAX)?,
        )?,
        Work::Paced {
            sessions,
            seconds,
            pause_ms,
            queries_per_login,
            query,
        } => {
            let pace = Pace {
                sessions: bounded(*sessions, limits::THREADS_MAX)?,
                time: Duration::try_from_secs_f64(*seconds)
                    .map_err(|e| Error::Job(e.to_string()))?,
                pause: Duration::from_millis(*pause_ms),
                queries_per_login: *queries_per_login,
            };
            paced::run(&target, &job.logins, &pace, query)?
        }
        Work::Execute { statements } => {
            let mut session = Session::open(&target, first, None)?;
            let rows = statements
                .iter()
                .map(|sql| session.query(sql))
                .collect::<Result<_, _>>()?;
            session.goodbye()?;
            Answer::Execute { rows }
        }
    };
    Ok((answer, Vec::new()))
}

fn bounded(asked: usize, most: usize) -> Result<usize, Error> {
    if (1..=most).contains(&asked) {
        Ok(asked)
    } else {
        Err(Error::Job(format!("1 to {most} are possible")))
    }
}

/// Runs the same work on several threads and returns all results.
pub fn on_threads<T: Send>(
    threads: usize,
    work: impl Fn(usize) -> Result<T, Error> + Sync,
) -> Result<Vec<T>, Error> {
    std::thread::scope(|scope| {
        let work = &work;
        let handles: Vec<_> = (0..threads).map(|n| scope.spawn(move || work(n))).collect();
        handles
            .into_iter()
            .map(|h| {
                h.join()
                    .map_err(|_| Error::Job("a thread panicked".into()))?
            })
            .collect()
    })
}

fn connect(
    target: &Target,
    login: &Login,
    threads: usize,
    time: Duration,
    query: &str,
) -> Result<Answer, Error> {
    let mut session = Session::open(target, login, None)?;
    let tls = session.tls();
    session.query(query)?;
    session.goodbye()?;
    // No thread starts to measure before all are warmed up.
    let start = Barrier::new(threads);
    let taken = on_threads(threads, |_| {
        let mut taken = Vec::new();
        let warm = warm_up(target);
        start.wait();
        warm?;
        let began = Instant::now();
        while began.elapsed() < time {
            let this = Instant::now();
            let mut session = Session::open(target, login, None)?;
            session.query(query)?;
            session.goodbye()?;
            taken.push(micros(this));
        }
        Ok((taken, began.elapsed().as_secs_f64()))
    })?;
    let seconds = taken
        .iter()
        .fold(0.0, |most: f64, (_, seconds)| most.max(*seconds));
    let mut all: Vec<u64> = taken.into_iter().flat_map(|(micros, _)| micros).collect();
    all.sort_unstable();
    let connections = u64::try_from(all.len()).unwrap_or(u64::MAX);
    Ok(Answer::Connect {
        connections,
        seconds,
        micros_median: percentile(&all, 50),
        micros_p95: percentile(&all, 95),
        tls,
    })
}

fn first_row(target: &Target, login: &Login, query: &str) -> Result<Answer, Error> {
    let began = Instant::now();
    let mut session = Session::open(target, login, None)?;
    let connect_micros = micros(began);
    let rows = session.query(query)?;
    let micros = micros(began);
    let tls = session.tls();
    let server_version = session.server_version.clone();
    let verdict_micros = session.verdict_micros;
    session.goodbye()?;
    Ok(Answer::FirstRow {
        micros,
        connect_micros,
        verdict_micros,
        rows,
        tls,
        server_version,
    })
}

fn idle(
    target: &Target,
    job: &Job,
    sessions: usize,
    query: &str,
) -> Result<(Answer, Vec<Session>), Error> {
    let began = Instant::now();
    let mut open = Vec::with_capacity(sessions);
    for login in job.logins.iter().cycle().take(sessions) {
        let mut session = Session::open(target, login, None)?;
        session.query(query)?;
        open.push(session);
    }
    Ok((
        Answer::Idle {
            sessions,
            seconds: began.elapsed().as_secs_f64(),
        },
        open,
    ))
}

/// Returns the source address of a round. Each round has another one, because Tidegate delays the
/// answers to an address that fails often.
fn source(round: usize) -> Result<Ipv4Addr, Error> {
    let offset = u32::try_from(round)
        .ok()
        .filter(|round| *round < limits::SOURCES);
    let offset = offset
        .ok_or_else(|| Error::Job(format!("at most {} logins of each kind", limits::SOURCES)))?;
    Ok(Ipv4Addr::from(u32::from(limits::FIRST_SOURCE) + offset))
}

fn verdict(
    target: &Target,
    logins: &[Login],
    each: usize,
    threads: usize,
) -> Result<Answer, Error> {
    let parts = on_threads(threads, |thread| {
        warm_up(target)?;
        let mut kinds: BTreeMap<String, Kind> = BTreeMap::new();
        for round in (thread..each).step_by(threads) {
            let from = source(round)?;
            for n in 0..logins.len() {
                // The kinds take turns, so that none of them always follows the same one.
                let Some(login) = logins.get((n + round) % logins.len()) else {
                    continue;
                };
                let (code, taken) = match Session::try_login(target, login, Some(from))? {
                    Outcome::Refused {
                        code,
                        verdict_micros,
                    } => (code, verdict_micros),
                    Outcome::In(_) => {
                        return Err(Error::Job(format!("the login {} succeeded", login.label)));
                    }
                };
                let kind = kinds.entry(login.label.clone()).or_default();
                *kind.codes.entry(code).or_default() += 1;
                kind.micros.push(taken);
            }
        }
        Ok(kinds)
    })?;
    let mut kinds: BTreeMap<String, Kind> = BTreeMap::new();
    for (label, part) in parts.into_iter().flatten() {
        let kind = kinds.entry(label).or_default();
        kind.micros.extend(part.micros);
        for (code, n) in part.codes {
            *kind.codes.entry(code).or_default() += n;
        }
    }
    Ok(Answer::Verdict { kinds })
}
