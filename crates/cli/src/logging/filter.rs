//! Filter of the log: our own lines by the configured level, those of libraries only if they are
//! errors. Strangers can make a library log as much as they like, and it has no budget for it.

use tidegate_model::LogBudget;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber, span};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Context, Filter};

/// Beginning of the target of our lines. Lines of the `log` crate, which no room uses, have the
/// target `log` while they are written.
const OURS: &str = "tidegate";

pub fn is_ours(meta: &Metadata<'_>) -> bool {
    meta.target().starts_with(OURS)
}

/// Filter by the configured level. Lines of libraries below ERROR are left out, unless the level is
/// DEBUG or lower.
#[derive(Debug)]
pub struct LineFilter {
    level: EnvFilter,
    libraries: LevelFilter,
}

impl LineFilter {
    pub fn new(level: EnvFilter) -> Self {
        let debugging = level
            .max_level_hint()
            .is_none_or(|most| most >= LevelFilter::DEBUG);
        // At DEBUG somebody looks for a fault, which may be in a library.
        let libraries = if debugging {
            LevelFilter::TRACE
        } else {
            LevelFilter::ERROR
        };
        Self { level, libraries }
    }

    fn is_silent(&self, meta: &Metadata<'_>) -> bool {
        !is_ours(meta) && *meta.level() > self.libraries
    }
}

impl<S: Subscriber> Filter<S> for LineFilter {
    fn enabled(&self, meta: &Metadata<'_>, cx: &Context<'_, S>) -> bool {
        !self.is_silent(meta) && Filter::enabled(&self.level, meta, cx)
    }

    fn callsite_enabled(&self, meta: &'static Metadata<'static>) -> Interest {
        if self.is_silent(meta) {
            return Interest::never();
        }
        Filter::<S>::callsite_enabled(&self.level, meta)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.level.max_level_hint()
    }

    fn on_new_span(&self, attrs: &span::Attributes<'_>, id: &span::Id, cx: Context<'_, S>) {
        Filter::on_new_span(&self.level, attrs, id, cx);
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, cx: Context<'_, S>) {
        Filter::on_record(&self.level, id, values, cx);
    }

    fn on_enter(&self, id: &span::Id, cx: Context<'_, S>) {
        Filter::on_enter(&self.level, id, cx);
    }

    fn on_exit(&self, id: &span::Id, cx: Context<'_, S>) {
        Filter::on_exit(&self.level, id, cx);
    }

    fn on_close(&self, id: span::Id, cx: Context<'_, S>) {
        Filter::on_close(&self.level, id, cx);
    }
}

/// Whether a line may be written; a library's line is taken from the budget of libraries. The
/// writer asks this, not a filter: after a filter that refuses single lines, `tracing_subscriber`
/// also loses the next line if that comes from a call site whose lines are always enabled.
pub fn is_within_budget(meta: &Metadata<'_>) -> bool {
    is_ours(meta) || LogBudget::of_process().take_for_library()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::queue::LogQueue;
    use crate::logging::sink::Sink;
    use std::time::Duration;
    use tidegate_model::log_budget::LIBRARY_LINES;
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::{Layer, fmt, reload};

    fn written(level: &str, log: impl FnOnce()) -> Vec<String> {
        let sink = Sink::default();
        let queue = LogQueue::start("test-filter", sink.clone()).unwrap();
        let (filter, _handle) = reload::Layer::new(LineFilter::new(level.parse().unwrap()));
        let layer = fmt::layer()
            .with_ansi(false)
            .with_writer(queue.clone())
            .with_filter(filter);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        queue.flush(Duration::from_secs(60));
        let text = String::from_utf8(sink.bytes()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn all() {
        tracing::debug!("ours");
        tracing::warn!("ours");
        tracing::warn!(target: "rustls::msgs::handshake", "theirs");
        tracing::warn!(target: "log", "theirs");
        tracing::warn!(target: "h2", "theirs");
        tracing::info!(target: "sqlx::query", "theirs");
        tracing::error!(target: "h2", "theirs, an error");
    }

    fn count(lines: &[String], part: &str) -> usize {
        lines.iter().filter(|line| line.contains(part)).count()
    }

    /// A single test, because all tests share the budget of the process.
    #[test]
    fn only_errors_of_libraries_are_logged_and_never_instead_of_our_lines() {
        for level in ["info", "warn", "tidegate=info,warn"] {
            let lines = written(level, all);
            assert_eq!(
                (count(&lines, "ours"), lines.len()),
                (1, 2),
                "{level}: {lines:?}"
            );
        }
        let lines = written("debug", all);
        assert_eq!((count(&lines, "ours"), lines.len()), (2, 7), "{lines:?}");
        let flood = 3 * LIBRARY_LINES.burst as usize;
        let lines = written("debug", || {
            for _ in 0..flood {
                tracing::warn!(target: "log", "theirs");
                tracing::info!("ours");
            }
        });
        assert_eq!(count(&lines, "ours"), flood);
        let theirs = count(&lines, "theirs");
        assert!(
            (1..=LIBRARY_LINES.burst as usize + 100).contains(&theirs),
            "{theirs}"
        );
        assert!(LogBudget::of_process().withheld() > 0);
    }
}
