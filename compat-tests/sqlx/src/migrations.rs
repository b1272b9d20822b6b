//! sqlx's migrator: its lock, its table, up and down, one that fails.
use super::{runtime, with_connection};
use checks::{check, connection_url, Check, Outcome};
use sqlx::migrate::{MigrateDatabase, MigrateError, Migrator};
use sqlx::{Connection, Executor, PgConnection, Postgres, Row};
use std::path::Path;

pub const CHECKS: &[Check] = &[
    check("migrations up, again, and down", up_and_down),
    check("a migration that fails leaves nothing", failing),
    check("a database is created, found and dropped", databases),
];

fn up_and_down() -> Outcome {
    with_connection(|mut connection| async move {
        let migrator = Migrator::new(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))).await?;
        migrator.run(&mut connection).await?;
        migrator.run(&mut connection).await?;
        let rows = connection.fetch_all("SELECT version, description, success FROM _sqlx_migrations ORDER BY version").await?;
        assert_eq!(rows.iter().map(|row| row.get::<i64, _>(0)).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(rows.iter().all(|row| row.get::<bool, _>("success")));
        connection.execute("INSERT INTO users (email) VALUES ('a@b.c')").await?;
        migrator.undo(&mut connection, 1).await?;
        assert_eq!(connection.fetch_all("SELECT * FROM _sqlx_migrations").await?.len(), 1);
        assert!(connection.fetch_all("SELECT 1 FROM pg_type WHERE typname = 'post_state' AND typnamespace = 'sqlx_checks'::regnamespace").await?.is_empty());
        migrator.run(&mut connection).await?;
        let row = connection.fetch_one("SELECT email, name FROM users").await?;
        assert_eq!((row.get::<&str, _>(0), row.get::<&str, _>(1)), ("a@b.c", ""));
        Ok(())
    })
}

fn failing() -> Outcome {
    with_connection(|mut connection| async move {
        let folder = std::env::temp_dir().join(format!("sqlx-checks-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("1_good.sql"), "CREATE TABLE good (a int);")?;
        std::fs::write(folder.join("2_bad.sql"), "CREATE TABLE bad (a int); SELECT * FROM missing;")?;
        let migrator = Migrator::new(folder.as_path()).await?;
        std::fs::remove_dir_all(&folder)?;
        let error = migrator.run(&mut connection).await.expect_err("it fails");
        assert!(matches!(error, MigrateError::ExecuteMigration(_, 2)), "{error:?}");
        connection.execute("SELECT * FROM good").await?;
        assert!(connection.execute("SELECT * FROM bad").await.is_err());
        Ok(())
    })
}

fn databases() -> Outcome {
    runtime()?.block_on(async {
        let url = connection_url();
        let (server, _) = url.rsplit_once('/').expect("a database in the URL");
        let url = format!("{server}/sqlx_checks_made");
        if Postgres::database_exists(&url).await? {
            Postgres::drop_database(&url).await?;
        }
        Postgres::create_database(&url).await?;
        assert!(Postgres::database_exists(&url).await?);
        let mut connection = PgConnection::connect(&url).await?;
        connection.execute("CREATE TABLE t (a int)").await?;
        connection.close().await?;
        Postgres::drop_database(&url).await?;
        assert!(!Postgres::database_exists(&url).await?);
        Ok(())
    })
}
