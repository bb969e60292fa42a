//! Users and databases of a MariaDB process. The role of a user is recorded by a grant in the
//! engine itself ([`mark`]), so that it ends with the account, whoever drops it.

mod databases;
mod mark;
pub(in crate::local) mod session;
pub(in crate::local) mod statements;
mod users;

use crate::administration::{
    Administration, AdministrationResult, BoundedList, EngineDatabase, EngineUsers, NewEngineUser,
    UsersWanted,
};
use crate::local::run::LocalRun;
use session::AdministrationSession;
use tidegate_model::{BoxFuture, DatabaseName, UserName};

impl Administration for LocalRun {
    fn databases(&self) -> BoxFuture<'_, AdministrationResult<BoundedList<EngineDatabase>>> {
        Box::pin(async {
            AdministrationSession::open(self)
                .await?
                .list_databases()
                .await
        })
    }

    fn create_database<'a>(
        &'a self,
        name: &'a DatabaseName,
    ) -> BoxFuture<'a, AdministrationResult<EngineDatabase>> {
        Box::pin(async {
            let mut session = AdministrationSession::open(self).await?;
            session.create_database(name).await
        })
    }

    fn delete_database<'a>(
        &'a self,
        name: &'a DatabaseName,
    ) -> BoxFuture<'a, AdministrationResult<()>> {
        Box::pin(async {
            let mut session = AdministrationSession::open(self).await?;
            session.delete_database(name).await
        })
    }

    fn users<'a>(
        &'a self,
        wanted: &'a UsersWanted,
    ) -> BoxFuture<'a, AdministrationResult<EngineUsers>> {
        Box::pin(async {
            let accounts = self.read_accounts().await?;
            let mut session = AdministrationSession::open(self).await?;
            session.list_users(&accounts, wanted).await
        })
    }

    fn create_user<'a>(
        &'a self,
        user: &'a NewEngineUser,
    ) -> BoxFuture<'a, AdministrationResult<Vec<String>>> {
        Box::pin(async {
            let mut session = AdministrationSession::open(self).await?;
            session.create_user(user).await
        })
    }

    fn set_user_password<'a>(
        &'a self,
        name: &'a UserName,
        stage2: [u8; 20],
    ) -> BoxFuture<'a, AdministrationResult<()>> {
        Box::pin(async move {
            let mut session = AdministrationSession::open(self).await?;
            session.set_user_password(name, stage2).await
        })
    }

    fn delete_user<'a>(&'a self, name: &'a UserName) -> BoxFuture<'a, AdministrationResult<()>> {
        Box::pin(async {
            let mut session = AdministrationSession::open(self).await?;
            session.delete_user(name).await
        })
    }

    fn end_user_sessions<'a>(
        &'a self,
        name: &'a UserName,
    ) -> BoxFuture<'a, AdministrationResult<()>> {
        Box::pin(async {
            let mut session = AdministrationSession::open(self).await?;
            session.end_user_sessions(name).await
        })
    }
}
