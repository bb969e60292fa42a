//! How long creating, waking and sleeping take, through this room's own interface. Prints medians;
//! asserts nothing.

#[path = "../tests/common/mod.rs"]
mod common;

use common::{Client, EnginesFixture, request};
use std::time::{Duration, Instant};
use tidegate_model::Waker;

const ROUNDS: u64 = 30;

fn main() {
    let args: Vec<_> = std::env::args_os().collect();
    if args
        .get(1)
        .is_some_and(|a| a == tidegate_engine::EXEC_COMMAND)
    {
        tidegate_engine::engine_exec_main()
    }
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    else {
        return;
    };
    runtime.block_on(measure());
}

#[expect(clippy::unwrap_used, reason = "a failed step is a failed measurement")]
async fn measure() {
    let fixture = EnginesFixture::open().await;
    let mut create = vec![];
    let mut first = vec![];
    let mut wake = vec![];
    let mut sleep = vec![];
    let mut killed = vec![];
    for n in 1..=ROUNDS {
        let begun = Instant::now();
        let id = fixture.create(n).await;
        create.push(begun.elapsed());
        first.push(begun.elapsed() + row(&fixture, id).await);
        let begun = Instant::now();
        fixture.engines.sleep(id).await.unwrap();
        sleep.push(begun.elapsed());
        wake.push(row(&fixture, id).await);
        common::kill_9(fixture.pid(id).unwrap());
        let begun = Instant::now();
        common::eventually("up again", async || {
            fixture
                .engines
                .attach(request(id, begun + Duration::from_secs(60)))
                .await
                .is_ok_and(|l| l.run.0 == 3)
        })
        .await;
        killed.push(begun.elapsed());
        fixture.engines.remove(id).await.unwrap();
    }
    for (name, times) in [
        ("create", create),
        ("create to first row", first),
        ("wake to first row", wake),
        ("sleep", sleep),
        ("kill -9 to next lease", killed),
    ] {
        report(name, times);
    }
    fixture.engines.shutdown().await;
}

#[expect(clippy::unwrap_used, reason = "a failed step is a failed measurement")]
async fn row(fixture: &EnginesFixture, id: tidegate_model::ClusterId) -> Duration {
    let begun = Instant::now();
    let lease = fixture.attach(id).await;
    let mut root = Client::login(&lease.address, "root", "first")
        .await
        .unwrap();
    root.query("SELECT 1").await.unwrap();
    begun.elapsed()
}

fn report(name: &str, mut times: Vec<Duration>) {
    times.sort();
    println!(
        "{name:24} p50 {:6.1} ms   p95 {:6.1} ms",
        percentile_ms(&times, 50),
        percentile_ms(&times, 95)
    );
}

fn percentile_ms(sorted: &[Duration], percent: usize) -> f64 {
    let time = sorted.get(sorted.len() * percent / 100);
    time.copied().unwrap_or_default().as_secs_f64() * 1000.0
}
