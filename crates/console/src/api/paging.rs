//! Parameters of lists that are answered page by page.

use crate::errors::ApiError;
use crate::limits;
use serde::Deserialize;
use tidegate_control::{ClustersWanted, ListStart, SessionsWanted, UsersWanted};
use tidegate_model::{ClusterName, ClusterState, SessionId};

/// Query of the list of clusters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterQuery {
    after: Option<String>,
    limit: Option<usize>,
    find: Option<String>,
    prefix: Option<String>,
    state: Option<ClusterState>,
}

impl ClusterQuery {
    pub fn wanted(self) -> Result<ClustersWanted, ApiError> {
        let start = match self.after {
            None => ListStart::First,
            Some(name) => ListStart::After(
                ClusterName::parse(&name)
                    .map_err(|error| wrong_query(&format!("after is {name:?}, but {error}")))?,
            ),
        };
        Ok(ClustersWanted {
            start,
            most: page_size(self.limit)?,
            find: find_text(self.find)?.trim().to_lowercase(),
            prefix: self.prefix,
            state: self.state,
        })
    }
}

/// Query of the list of users of a cluster.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserQuery {
    after: Option<String>,
    limit: Option<usize>,
    find: Option<String>,
}

impl UserQuery {
    pub fn wanted(self) -> Result<UsersWanted, ApiError> {
        Ok(UsersWanted {
            find: find_text(self.find)?,
            after: self.after,
            most: page_size(self.limit)?,
        })
    }
}

/// Query of the list of sessions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionQuery {
    pub cluster: Option<String>,
    user: Option<String>,
    after: Option<u32>,
    limit: Option<usize>,
}

impl SessionQuery {
    pub fn wanted(self) -> Result<SessionsWanted, ApiError> {
        // Ids of sessions have 31 bits, and the description says so.
        if let Some(id) = self.after.filter(|id| i32::try_from(*id).is_err()) {
            let most = i32::MAX;
            return Err(wrong_query(&format!(
                "after is {id}, but ids of sessions end at {most}"
            )));
        }
        Ok(SessionsWanted {
            cluster: self.cluster,
            user: self.user,
            after: self.after.map(SessionId),
            most: page_size(self.limit)?,
        })
    }
}

fn find_text(find: Option<String>) -> Result<String, ApiError> {
    let find = find.unwrap_or_default();
    let most = limits::FIND_MAX;
    match find.chars().count() > most {
        true => Err(wrong_query(&format!(
            "find is longer than {most} characters"
        ))),
        false => Ok(find),
    }
}

fn page_size(limit: Option<usize>) -> Result<usize, ApiError> {
    let most = limits::PAGE_MAX;
    match limit {
        None => Ok(most),
        Some(wanted) if (1..=most).contains(&wanted) => Ok(wanted),
        Some(wanted) => Err(wrong_query(&format!(
            "limit is {wanted}, but a page has 1 to {most} rows"
        ))),
    }
}

fn wrong_query(message: &str) -> ApiError {
    let hint = "use the `next` of the page before as `after`, and a `limit` from 1 to 1000";
    ApiError::bad_request(message, hint)
}
