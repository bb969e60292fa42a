//! Accepted: the connection has a place among those that have not proved a password.

use crate::connection::Connection;
use crate::limits;
use std::sync::Arc;
use tidegate_model::journal::Ending;
use tidegate_model::{Refusal, RefusalKind};
use tokio::net::TcpStream;

pub(crate) struct Accepted {
    pub connection: Connection,
    pub tcp: TcpStream,
}

impl Accepted {
    /// Takes a place among the unproven connections, or refuses the client if there are too many.
    pub async fn take_place(
        mut connection: Connection,
        mut tcp: TcpStream,
    ) -> Result<Self, Ending> {
        let shared = Arc::clone(&connection.shared);
        let admitted = shared
            .admission
            .admit(connection.client.ip(), limits::COST_GREETED);
        // Admitted or not, the connection is now in another bound, so the listener may accept the
        // next.
        drop(connection.arriving.take());
        match admitted {
            Ok(place) => connection.place = Some(place),
            Err(full) => {
                // Beyond this bound connections are just closed: a flood must not fill the server
                // with refusals.
                let Ok(_refusing) = shared.refusing.try_acquire() else {
                    return Err(Ending::Refused {
                        kind: RefusalKind::TooManyFromAddress,
                        detail: Some(full.to_string()),
                    });
                };
                let refusal = Refusal::because(RefusalKind::TooManyFromAddress, full.to_string());
                // An error packet instead of a greeting, as MySQL sends its own 1040: drivers know
                // it.
                return Err(connection.refuse(&mut tcp, 0, refusal).await);
            }
        }
        Ok(Self { connection, tcp })
    }
}
