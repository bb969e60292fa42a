//! The helper by itself, for this room's tests: what `tidegate engine-exec` is in the product. With
//! `hold FOLDER NUMBER` it is a server that keeps cluster 1 awake until it is killed; its user
//! numbers begin with NUMBER. It does nothing else.

#[path = "../tests/common/mod.rs"]
mod common;

use std::sync::Arc;
use tidegate_model::{ClusterId, ClusterLimits};

fn main() {
    let args: Vec<_> = std::env::args_os().collect();
    match args.as_slice() {
        [_, hold, folder, first] if hold == "hold" => serve(folder.into(), first),
        _ => tidegate_engine::engine_exec_main(),
    }
}

#[expect(clippy::unwrap_used, reason = "a failed step is a failed test")]
fn serve(folder: std::path::PathBuf, first: &std::ffi::OsStr) {
    let users = common::UserNumbers::lent(first.to_str().unwrap().parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut settings = tidegate_engine::EngineSettings::new(folder);
        settings.local.helper = Some(tidegate_engine::Helper {
            program: std::env::current_exe().unwrap(),
            args: vec![tidegate_engine::EXEC_COMMAND.into()],
        });
        let memory = Arc::new(common::Memory::default());
        let engines = common::EnginesFixture::engines(&settings, &memory).await;
        engines
            .adopt(common::spec(&users, 1, ClusterLimits::default()), true)
            .await
            .unwrap();
        engines.wake(ClusterId(1)).await.unwrap();
        println!("awake");
        std::future::pending::<()>().await;
    });
}
