//! Lists, creates and deletes users of a cluster and sets their passwords. The cluster is woken for
//! it. Its account book is read again at once, so that logins see the change.

use super::administered::{Administered, SHOWN_CHARS_MAX, Tries, no_such};
use super::chosen_password::ChosenPassword;
use super::databases::{bad_database, existing_database};
use crate::cluster_entry::ClusterEntry;
use crate::control::Control;
use crate::engine_error::Work;
use crate::engine_error::engine_error;
use crate::error::{ControlError, ControlResult, ErrorCode};
use crate::limits;
use crate::requests::Intent;
use crate::views::{AccountView, NewUser, UserPage, UserView, UserWithPassword};
use std::sync::Arc;
use std::time::Instant;
use tidegate_engine::{
    Administration, AdministrationError, AdministrationResult, EngineAccount, EngineUser,
    NewEngineUser, UsersWanted,
};
use tidegate_model::{AccountBook, DatabaseName, SqlNameError, UserName, UserRole, Verifier};
use zeroize::Zeroizing;

impl Control {
    /// Lists the users that can log in to a cluster: those with a role first, then the others, by
    /// name.
    pub async fn users(&self, cluster: &str, wanted: UsersWanted) -> ControlResult<UserPage> {
        let this = self.clone();
        let cluster = cluster.to_owned();
        self.to_its_end(async move {
            let mut tries = Tries::default();
            loop {
                let on = this.administered(&cluster).await?;
                match on.admin()?.users(&wanted).await {
                    Ok(page) => {
                        let rows = page.rows.into_iter();
                        let rows = rows.map(|user| user_view(&on.entry, user));
                        return Ok(UserPage {
                            rows: rows.collect(),
                            next: page.next,
                            complete: page.complete,
                        });
                    }
                    Err(error) => tries.try_again(&on, error, Work::List("users")).await?,
                }
            }
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
        let password = match self.earlier_intent() {
            // A user that an interrupted execution of this request has made has that password.
            Some(Intent::NewUser { password }) if new.password.is_none() => {
                ChosenPassword::generated(password.clone().into())
            }
            _ => ChosenPassword::of(new.password)?,
        };
        let intent = password.generated.as_ref().map(|text| Intent::NewUser {
            password: text.to_string(),
        });
        let new = NewEngineUser {
            name,
            stage2: password.stage2,
            role: new.role,
            databases,
            replaces_unfinished: false,
        };
        self.to_its_end(async move {
            if let Some(intent) = intent {
                this.note_intent(intent).await?;
            }
            let user = this.make_user(&cluster, new).await?;
            Ok(UserWithPassword {
                user,
                password: password.generated,
            })
        })
        .await
    }

    async fn make_user(&self, cluster: &str, mut new: NewEngineUser) -> ControlResult<UserView> {
        check_prefix(&*self.entry(cluster).await?, &new.name)?;
        let mut tries = self.tries();
        loop {
            let on = self.administered(cluster).await?;
            new.replaces_unfinished = tries.has_earlier();
            match on.admin()?.create_user(&new).await {
                Ok(databases) => return self.made_user(&on, &new, databases).await,
                Err(AdministrationError::Exists) if self.is_resumed() => {
                    return self.user_made_earlier(&on, &new).await;
                }
                Err(error) => {
                    tries
                        .try_again(&on, error, Work::Change(&named(&new.name)))
                        .await?
                }
            }
        }
    }

    /// Returns the user if an interrupted execution of this request has created it: it has the
    /// password then.
    async fn user_made_earlier(
        &self,
        on: &Administered,
        new: &NewEngineUser,
    ) -> ControlResult<UserView> {
        let seen = self.check_password(&on.entry, &new.name, new.stage2).await;
        let what = named(&new.name);
        let exists = |_| on.error(AdministrationError::Exists, Work::Change(&what));
        seen.map_err(exists)?;
        let user = find_user(on.admin()?, &new.name).await;
        let user = user.map_err(|e| on.error(e, Work::Change(&what)))?;
        Ok(user_view(&on.entry, user))
    }

    /// Checks a user that was created, and returns it.
    async fn made_user(
        &self,
        on: &Administered,
        new: &NewEngineUser,
        databases: Vec<String>,
    ) -> ControlResult<UserView> {
        let seen = self.check_password(&on.entry, &new.name, new.stage2).await;
        if let Err(error) = seen {
            // Nobody knows the password that the engine has, so the account goes.
            let _ = on.admin()?.delete_user(&new.name).await;
            return Err(error);
        }
        let made = EngineUser {
            name: new.name.as_str().to_owned(),
            accounts: vec![EngineAccount {
                host: "%".to_owned(),
                role: Some(new.role),
                locked: false,
            }],
            role: Some(new.role),
            every_database: new.role == UserRole::Admin || new.databases.is_none(),
            databases,
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
            let mut tries = Tries::default();
            loop {
                let on = this.administered(&cluster).await?;
                match set_password(on.admin()?, &name, password.stage2).await {
                    Ok(user) => {
                        this.check_password(&on.entry, &name, password.stage2)
                            .await?;
                        return Ok(UserWithPassword {
                            user: user_view(&on.entry, user),
                            password: password.generated,
                        });
                    }
                    Err(error) => {
                        tries
                            .try_again(&on, error, Work::Change(&named(&name)))
                            .await?
                    }
                }
            }
        })
        .await
    }

    /// Drops all accounts of a user and ends its sessions.
    pub async fn delete_user(&self, cluster: &str, name: &str) -> ControlResult<()> {
        if name == super::ROOT {
            return Err(ControlError::new(
                ErrorCode::BadName,
                "root can't be deleted: each cluster keeps the user that administers it",
                "`tidegate cluster password NAME` sets a new password for root",
            ));
        }
        let this = self.clone();
        let cluster = cluster.to_owned();
        let name = existing_user(name, &cluster)?;
        self.to_its_end(async move {
            let mut tries = this.tries();
            let on = loop {
                let on = this.administered(&cluster).await?;
                match on.admin()?.delete_user(&name).await {
                    Ok(()) => break on,
                    Err(AdministrationError::Missing) if tries.has_earlier() => break on,
                    Err(error) => {
                        tries
                            .try_again(&on, error, Work::Change(&named(&name)))
                            .await?
                    }
                }
            };
            // An error here costs the book only, and the engine has the last word at a login.
            let _ = this.read_again(&on.entry, &name).await;
            this.end_user_sessions(&on.entry, &name);
            // Also those that the engine had let in a moment before the account went.
            let ended = on.admin()?.end_user_sessions(&name).await;
            ended.map_err(|error| {
                let left = "it is deleted, but its sessions may go on".to_owned();
                let error = match error {
                    AdministrationError::Run(source) => {
                        AdministrationError::Unfinished { left, source }
                    }
                    other => other,
                };
                on.error(error, Work::Change(&named(&name)))
            })
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
    /// tenant may have replaced the table of accounts. While a session locks them, the engine's
    /// word is all there is: a password that was set must be told.
    async fn check_password(
        &self,
        entry: &ClusterEntry,
        name: &UserName,
        stage2: [u8; 20],
    ) -> ControlResult<()> {
        let names = login_names(entry, name);
        let read = self
            .engines()
            .accounts(entry.id, names.clone(), Instant::now())
            .await;
        let book = match read {
            Ok(book) => book,
            Err(error) if error.is_delay() => return Ok(()),
            Err(error) => return Err(engine_error(error, &entry.name())),
        };
        self.register().books().learn(entry.id, &names, &book);
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

/// Sets the password of a user, and returns the user. It is read first, because an error after the
/// change would lose a password that was generated.
async fn set_password(
    admin: &dyn Administration,
    name: &UserName,
    stage2: [u8; 20],
) -> AdministrationResult<EngineUser> {
    let user = find_user(admin, name).await?;
    admin.set_user_password(name, stage2).await?;
    Ok(user)
}

/// Reads a user. A list has a bound, so that nothing but the name may be known.
async fn find_user(
    admin: &dyn Administration,
    name: &UserName,
) -> AdministrationResult<EngineUser> {
    let wanted = UsersWanted {
        find: name.as_str().to_owned(),
        most: limits::USERS_READ,
        ..UsersWanted::default()
    };
    let mut rows = admin.users(&wanted).await?.rows.into_iter();
    let user = rows.find(|user| user.name == name.as_str());
    Ok(user.unwrap_or_else(|| EngineUser::named(name.as_str())))
}

/// Name of a user that may exist; empty for the accounts without a name. One that no user can have
/// is as unknown as any other.
fn existing_user(name: &str, cluster: &str) -> ControlResult<UserName> {
    if name.is_empty() {
        return Ok(UserName::anonymous());
    }
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
            ErrorCode::Invalid,
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
    if name.is_anonymous() {
        return "accounts without a name".to_owned();
    }
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
    let accounts = user.accounts.into_iter().map(|account| AccountView {
        host: account.host,
        role: account.role,
        locked: account.locked,
    });
    UserView {
        login: format!("{}.{}", entry.prefix, user.name),
        name: user.name,
        accounts: accounts.collect(),
        role: user.role,
        every_database: user.every_database,
        databases: user.databases,
    }
}
