//! A server with passwords in this process, and clients of it.

use std::sync::Arc;

use graphwire::access::login::new_scram_verifier;
use graphwire::server::{Server, ServerOptions};
use graphwire::session::{Engine, EngineOptions};
use graphwire::storage::StoreOptions;
use graphwire::types::Clock;
use tokio_postgres::error::DbError;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use tokio_util::sync::CancellationToken;

/// The operator's password, and that of every role in these tests.
pub(super) const PASSWORD: &str = "pencil";

/// A running server.
pub(super) struct Running {
    pub(super) engine: Arc<Engine>,
    pub(super) port: u16,
    pub(super) clock: Clock,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

impl Running {
    pub(super) async fn start() -> Self {
        Self::start_in(None).await
    }

    pub(super) async fn start_in(dir: Option<&std::path::Path>) -> Self {
        // Noon of a day, so that no window ends by itself.
        let clock = Clock::manual(1_700_049_600_000_000);
        let engine = Engine::open(EngineOptions {
            verifier: Some(new_scram_verifier(PASSWORD)),
            store: dir.map(StoreOptions::local),
            clock: clock.clone(),
            ..EngineOptions::default()
        });
        let engine = engine.await.unwrap();
        let options =
            ServerOptions { listen: "127.0.0.1:0".to_owned(), ..ServerOptions::default() };
        let server = Server::bind(options, Arc::clone(&engine)).await.unwrap();
        let port = server.local_addr().port();
        let stop = CancellationToken::new();
        let serving = tokio::spawn(server.serve(stop.clone()));
        Self { engine, port, clock, stop, serving }
    }

    /// Stops the server and ends its store.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.serving.await.unwrap();
        let engine = self.engine;
        tokio::task::spawn_blocking(move || engine.close().unwrap()).await.unwrap();
    }

    /// Connects with a connection string's parameters.
    pub(super) async fn try_connect(&self, parameters: &str) -> Result<Client, Refused> {
        let config = format!("host=127.0.0.1 port={} password={PASSWORD} {parameters}", self.port);
        let (client, connection) =
            tokio_postgres::connect(&config, NoTls).await.map_err(|error| Refused::of(&error))?;
        tokio::spawn(connection);
        Ok(client)
    }

    pub(super) async fn connect(&self, parameters: &str) -> Client {
        match self.try_connect(parameters).await {
            Ok(client) => client,
            Err(refused) => panic!("{parameters}: {refused:?}"),
        }
    }

    /// The operator of the system tenant.
    pub(super) async fn operator(&self) -> Client {
        self.connect("user=graphwire dbname=graphwire").await
    }

    /// Makes a tenant with a role that may log in and owns its database.
    pub(super) async fn tenant(&self, name: &str, user: &str) {
        let operator = self.operator().await;
        run(&operator, &format!("CREATE TENANT {name}")).await;
        run(&operator, &format!("SET graphwire.tenant = '{name}'")).await;
        run(&operator, &format!("CREATE ROLE {user} LOGIN CREATEDB PASSWORD '{PASSWORD}'")).await;
        run(&operator, &format!("ALTER DATABASE {name} OWNER TO {user}")).await;
        run(&operator, &format!("GRANT ALL ON SCHEMA public TO {user}")).await;
    }
}

/// What a client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) severity: String,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) detail: String,
    pub(super) hint: String,
    pub(super) constraint: String,
}

impl Refused {
    pub(super) fn of(error: &tokio_postgres::Error) -> Self {
        let Some(error) = error.as_db_error() else { panic!("not an answer: {error}") };
        let text = |field: Option<&str>| field.unwrap_or_default().to_owned();
        let error: &DbError = error;
        Self {
            severity: error.severity().to_owned(),
            code: error.code().code().to_owned(),
            message: error.message().to_owned(),
            detail: text(error.detail()),
            hint: text(error.hint()),
            constraint: text(error.constraint()),
        }
    }
}

/// Runs statements in the simple protocol; the rows as text, `|` between columns.
pub(super) async fn try_run(client: &Client, text: &str) -> Result<Vec<String>, Refused> {
    let messages = client.simple_query(text).await.map_err(|error| Refused::of(&error))?;
    Ok(messages
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                let cells = (0..row.len()).map(|at| row.get(at).unwrap_or("NULL"));
                Some(cells.collect::<Vec<_>>().join("|"))
            }
            _ => None,
        })
        .collect())
}

pub(super) async fn run(client: &Client, text: &str) -> Vec<String> {
    match try_run(client, text).await {
        Ok(rows) => rows,
        Err(refused) => panic!("{text}: {refused:?}"),
    }
}

pub(super) async fn refused(client: &Client, text: &str) -> Refused {
    match try_run(client, text).await {
        Ok(rows) => panic!("{text} was not refused: {rows:?}"),
        Err(refused) => refused,
    }
}
