//! Route of the recent events of a cluster.

use crate::auth::scoped::ApiCaller;
use crate::errors::ApiError;
use crate::events::{ClusterWake, RefusedBy, RefusedLogin};
use crate::state::Api;
use crate::timestamp::rfc3339_date;
use crate::types::{Activity, ErrorBody, RecentRefusal, RecentWake};
use axum::Json;
use axum::extract::{Path, State};
use std::time::{SystemTime, UNIX_EPOCH};

/// Lists the recent refusals of logins to this cluster and its last wakes, since the start of the
/// server. The latest are first.
#[utoipa::path(
    get,
    path = "/v1/clusters/{name}/events",
    tag = "clusters",
    security(("key" = ["read"])),
    params(("name" = String, Path)),
    responses(
        (status = 200, body = Activity),
        (status = 404, description = "no such cluster", body = ErrorBody),
        (status = "default", body = ErrorBody)
    )
)]
pub async fn cluster_events(
    State(api): State<Api>,
    Path(name): Path<String>,
    caller: ApiCaller,
) -> Result<Json<Activity>, ApiError> {
    let may_see_text = caller.may_change(&name);
    let recent = api.events.of_cluster(api.control.cluster(&name).await?.id);
    Ok(Json(Activity {
        refusals: recent
            .refusals
            .iter()
            .map(|refused| refusal_body(refused, may_see_text))
            .collect(),
        wakes: recent.wakes.iter().map(wake_body).collect(),
    }))
}

/// Describes a refusal. Only a caller who may change the cluster may see the error text of the
/// engine (`may_see_text`), since it can quote SQL.
fn refusal_body(refused: &RefusedLogin, may_see_text: bool) -> RecentRefusal {
    let (code, reason, meaning, hint) = match &refused.what {
        RefusedBy::Gateway(kind) => {
            let entry = kind.entry();
            (
                entry.code,
                Some(entry.slug.to_owned()),
                entry.text.to_owned(),
                Some(entry.hint.to_owned()),
            )
        }
        RefusedBy::Engine { code, .. } if !may_see_text => {
            (*code, None, "refused by the engine".to_owned(), None)
        }
        RefusedBy::Engine { code, message } => (*code, None, message.clone(), None),
    };
    RecentRefusal {
        at: system_date(refused.at),
        client: refused.client.to_string(),
        code,
        reason,
        meaning,
        hint,
    }
}

fn wake_body(woken: &ClusterWake) -> RecentWake {
    let took_ms = (woken.took.as_secs_f64() * 10_000.0).round() / 10.0;
    RecentWake {
        at: system_date(woken.at),
        took_ms,
        recovery: woken.recovery,
    }
}

fn system_date(at: SystemTime) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    rfc3339_date(i64::try_from(seconds).unwrap_or(i64::MAX))
}
