//! Lists, creates and deletes users of a cluster and sets their passwords. The cluster is woken for
//! it. Its account book is read again at once, so that logins see the change.

use super::administered::{Administered, SHOWN_CHARS_MAX, no_such};
use super::databases::{bad_database, existing_database};
use crate::cluster_entry::ClusterEntry;
use crate::control::Control;
use crate::engine_error::engine_error;
use crate::error::{ControlError, ControlResult, ErrorCode};
use crate::limits;
use crate::password;
use crate::views::{ListView, NewUser, UserView, UserWithPassword};
use std::sync::Arc;
use std::time::Instant;
use tidegate_engine::{EngineUser, NewEngineUser};
use tidegate_model::{AccountBook, DatabaseName, SqlNameError, UserName, UserRole, Verifier};
use zeroize::Zeroizing;

impl Control {
    /// Lists the users that can log in to a cluster, by name.
    pub async fn users(&self, cluster: &str) -> ControlResult<ListView<UserView>> {
        let this = self.clone();
        let cluster = cluster.to_owned();
        self.to_its_end(async move {
            let on = this.administered(&cluster).await?;
            let list = on.admin()?.users().await;
            let list = list.map_err(|e| on.error(e, "the users"))?;
            let rows = list.rows.into_iter();
            let rows = rows.map(|user| user_view(&on.entry, user));
            Ok(ListView {
                rows: rows.collect(),
                complete: list.complete,
            })
        })
        .await
    }

    /// Creates a user with the rights of a role, and a generated password unless one is given.
    pub async fn create_user(
        &self,
        cluster: &str,
        new: NewUser,
    ) -> ControlResult<UserWithPassword> {
        let this = self.clone();
        let cluster = cluster.to_owned();
        let name = UserName::parse(&new.name).map_err(|e| bad_user(&new.name, e))?;
        let databases = check_databases(&cluster, new.role, new.databases)?;
        let password = ChosenPassword::of(new.password)?;
        let new = NewEngineUser {
            name,
            stage2: password.stage2,
            role: new.role,
            databases,
        };
        self.to_its_end(async move {
            let user = this.make_user(&cluster, &new).await?;
            Ok(UserWithPassword {
                user,
                password: password.generated,
            })
        })
        .await
    }

    async fn make_user(&self, cluster: &str, new: &NewEngineUser) -> ControlResult<UserView> {
        check_prefix(&*self.entry(cluster)?, &new.name)?;
        let on = self.administered(cluster).await?;
        let admin = on.admin()?;
        let databases = admin.create_user(new).await;
        let databases = databases.map_err(|e| on.error(e, &named(&new.name)))?;
        let seen = self.check_password(&on.entry, &new.name, new.stage2).await;
        if let Err(error) = seen {
            // Nobody knows the password that the engine has, so the account goes.
            let _ = admin.delete_user(&new.name).await;
            return Err(error);
        }
        let made = EngineUser {
            name: new.name.as_str().to_owned(),
            hosts: vec!["%".to_owned()],
            role: Some(new.role),
            every_database: new.role == UserRole::Admin || new.databases.is_none(),
            databases,
            locked: false,
        };
        Ok(user_view(&on.entry, made))
    }

    /// Sets the password of a user, generated unless one is given. Its sessions stay.
    pub async fn user_password(
        &self,
        cluster: &str,
        name: &str,
        password: Option<Zeroizing<String>>,
    ) -> ControlResult<UserWithPassword> {
        let this = self.clone();
        let cluster = cluster.to_owned();
        let name = existing_user(name, &cluster)?;
        let password = ChosenPassword::of(password)?;
        self.to_its_end(async move {
            let on = this.administered(&cluster).await?;
            let changed = on.admin()?.set_user_password(&name, password.stage2).await;
            changed.map_err(|e| on.error(e, &named(&name)))?;
            this.check_password(&on.entry, &name, password.stage2)
                .await?;
            Ok(UserWithPassword {
                user: one_user(&on, &name).await?,
                password: password.generated,
            })
        })
        .await
    }

    /// Drops all accounts of a user and ends its sessions.
    pub async fn delete_user(&self, cluster: &str, name: &str) -> ControlResult<()> {
        let this = self.clone();
        let cluster = cluster.to_owned();
        let name = existing_user(name, &cluster)?;
        self.to_its_end(async move {
            let on = this.administered(&cluster).await?;
            let deleted = on.admin()?.delete_user(&name).await;
            deleted.map_err(|e| on.error(e, &named(&name)))?;
            // The sessions end whether or not the accounts can be read now.
            let read = this.read_again(&on.entry, &name).await;
            this.end_user_sessions(&on.entry, &name);
            // Also those that the engine had let in a moment before the account went.
            let ended = on.admin()?.end_user_sessions(&name).await;
            ended.map_err(|e| on.error(e, &named(&name)))?;
            read.map(drop)
        })
        .await
    }

    fn end_user_sessions(&self, entry: &ClusterEntry, name: &UserName) {
        let names = login_names(entry, name);
        for session in self.sessions().list(Some(entry.id)) {
            if names.contains(&session.user) {
                self.sessions().kill(session.id);
            }
        }
    }

    /// Reads the accounts of a user again, for the logins that come now.
    async fn read_again(
        &self,
        entry: &ClusterEntry,
        name: &UserName,
    ) -> ControlResult<Arc<AccountBook>> {
        let names = login_names(entry, name);
        let book = self
            .engines()
            .accounts(entry.id, names.clone(), Instant::now())
            .await
            .map_err(|e| engine_error(e, &entry.name()))?;
        self.register().books().learn(entry.id, &names, &book);
        Ok(book)
    }

    /// Checks that the accounts have the new password. Success of the statement is no proof: a
    /// tenant may have replaced the table of accounts.
    async fn check_password(
        &self,
        entry: &ClusterEntry,
        name: &UserName,
        stage2: [u8; 20],
    ) -> ControlResult<()> {
        let book = self.read_again(entry, name).await?;
        let taken = book.accounts.iter().any(|account| {
            account.user == name.as_str() && account.verifiers.contains(&Verifier::Native(stage2))
        });
        if taken {
            return Ok(());
        }
        Err(ControlError::new(
            ErrorCode::EngineFailed,
            format!(
                "the engine of cluster {:?} did not accept the password of {}",
                entry.name().as_str(),
                named(name)
            ),
            "try again; the server's log has details",
        ))
    }
}

/// A user as the engine has it now.
async fn one_user(on: &Administered, name: &UserName) -> ControlResult<UserView> {
    let users = on.admin()?.users().await;
    let users = users.map_err(|e| on.error(e, &named(name)))?;
    let mut rows = users.rows.into_iter();
    let user = rows.find(|user| user.name == name.as_str());
    // A list has a bound, so the user may be beyond it.
    let user = user.unwrap_or_else(|| EngineUser {
        name: name.as_str().to_owned(),
        hosts: Vec::new(),
        role: None,
        every_database: false,
        databases: Vec::new(),
        locked: false,
    });
    Ok(user_view(&on.entry, user))
}

/// A password, given or generated.
struct ChosenPassword {
    generated: Option<Zeroizing<String>>,
    stage2: [u8; 20],
}

impl ChosenPassword {
    fn of(given: Option<Zeroizing<String>>) -> ControlResult<Self> {
        let Some(given) = given else {
            let password = password::generate()?;
            return Ok(Self {
                stage2: password::stage2(&password),
                generated: Some(password),
            });
        };
        if given.is_empty()
            || given.chars().count() > limits::GIVEN_PASSWORD_CHARS_MAX
            || given.chars().any(char::is_control)
        {
            return Err(ControlError::new(
                ErrorCode::BadParameters,
                "the password is empty, too long or has control characters",
                "use 1 to 256 characters without line feeds, or leave it out to have one generated",
            ));
        }
        Ok(Self {
            stage2: password::stage2(&given),
            generated: None,
        })
    }
}

/// Name of a user that may exist. One that no user can have is as unknown as any other.
fn existing_user(name: &str, cluster: &str) -> ControlResult<UserName> {
    UserName::existing(name).map_err(|error| match error {
        SqlNameError::Reserved => bad_user(name, error),
        _ => no_such("user", name, cluster),
    })
}

/// Name of a database that may exist and that a grant can name.
fn grantable_database(cluster: &str, name: &str) -> ControlResult<DatabaseName> {
    let database = existing_database(name, cluster)?;
    match database.can_be_granted() {
        true => Ok(database),
        false => Err(bad_database(name, SqlNameError::TooLong)),
    }
}

fn check_databases(
    cluster: &str,
    role: UserRole,
    wanted: Option<Vec<String>>,
) -> ControlResult<Option<Vec<DatabaseName>>> {
    let Some(wanted) = wanted else {
        return Ok(None);
    };
    if role == UserRole::Admin {
        return Err(ControlError::new(
            ErrorCode::Unsupported,
            "an administrator has all databases",
            "leave the databases out, or choose the role read-write",
        ));
    }
    if wanted.is_empty() || wanted.len() > limits::USER_DATABASES_MAX {
        return Err(ControlError::new(
            ErrorCode::BadParameters,
            format!("{} databases for one user", wanted.len()),
            "name 1 to 100 databases, or leave them out: the user then gets all of them, and those \
             that are created later",
        ));
    }
    let mut names = wanted
        .iter()
        .map(|name| grantable_database(cluster, name))
        .collect::<ControlResult<Vec<_>>>()?;
    names.sort();
    names.dedup();
    Ok(Some(names))
}

/// Refuses a name that already has the cluster's prefix: the login would have it twice.
fn check_prefix(entry: &ClusterEntry, name: &UserName) -> ControlResult<()> {
    let Some(rest) = name.as_str().strip_prefix(entry.prefix.as_str()) else {
        return Ok(());
    };
    match rest.strip_prefix('.') {
        None => Ok(()),
        Some(_) => Err(ControlError::new(
            ErrorCode::BadName,
            format!("{} has the cluster's prefix", named(name)),
            "leave the prefix out: a login adds it",
        )),
    }
}

fn named(name: &UserName) -> String {
    format!("user {:?}", name.as_str())
}

/// Error of a name that no user of a tenant can have.
fn bad_user(name: &str, error: SqlNameError) -> ControlError {
    let shown: String = name.chars().take(SHOWN_CHARS_MAX).collect();
    let hint = if shown == super::ROOT {
        "`tidegate cluster password NAME` sets the password of root, which can't be deleted"
    } else {
        UserName::HINT
    };
    ControlError::new(
        ErrorCode::BadName,
        format!("{shown:?} can't be the name of a user: {error}"),
        hint,
    )
}

/// User names of the accounts that a login of this user can mean, with and without the prefix.
fn login_names(entry: &ClusterEntry, name: &UserName) -> Vec<String> {
    vec![
        name.as_str().to_owned(),
        format!("{}.{}", entry.prefix, name.as_str()),
    ]
}

fn user_view(entry: &ClusterEntry, user: EngineUser) -> UserView {
    UserView {
        login: format!("{}.{}", entry.prefix, user.name),
        name: user.name,
        hosts: user.hosts,
        role: user.role,
        every_database: user.every_database,
        databases: user.databases,
        locked: user.locked,
    }
}
