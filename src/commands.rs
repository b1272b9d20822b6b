//! What the subcommands do. Errors are one line each; the process then ends with code 2.

use std::sync::Arc;

use graphwire::access::login::{generate_password, new_scram_verifier};
use graphwire::executor::runtime::RuntimeOptions;
use graphwire::server::{Server, ServerError, ServerOptions, TlsOptions, on_signals};
use graphwire::session::display::text_table;
use graphwire::session::{
    Engine, EngineOptions, Finished, LoginPolicy, Outcome, ScriptPosition, Session,
    THREAD_STACK_BYTES,
};
use graphwire::storage::StoreOptions;
use graphwire::telemetry;
use graphwire::types::OutputSettings;

use crate::allocator;
use crate::config::{
    self, Cli, Command, DemoArgs, FileConfig, MEMORY_MB_DEFAULT, MemoryPlan, ServeArgs, SqlArgs,
};
use crate::maintenance;

const DEFAULT_LISTEN: &str = "127.0.0.1:5432";
const DEMO_SCHEMA: &str = include_str!("../sql/demo/demo.sql");
const DEMO_TABLES: &[(&str, &str)] = &[
    ("airport", include_str!("../sql/demo/airports.csv")),
    ("flight", include_str!("../sql/demo/flights.csv")),
];

pub(crate) fn run(cli: Cli) -> Result<(), String> {
    let file = config::read(cli.config.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("graphwire")
        .thread_stack_size(THREAD_STACK_BYTES)
        .build()
        .map_err(|error| format!("could not start: {error}"))?;
    match cli.command {
        Command::Serve(args) => runtime.block_on(serve(args, file)),
        Command::Demo(args) => runtime.block_on(demo(args, file)),
        Command::Sql(args) => runtime.block_on(sql(args)),
        Command::Verify(args) => runtime.block_on(maintenance::verify(args)),
        Command::Backup(args) => maintenance::backup(&args),
        Command::Restore(args) => maintenance::restore(&args),
    }
}

async fn serve(args: ServeArgs, file: FileConfig) -> Result<(), String> {
    telemetry::init(args.log_format.or(file.log_format).unwrap_or_default());
    let dev = args.dev || file.dev.unwrap_or(false);
    let mut options = ServerOptions {
        listen: args.listen.or(file.listen).unwrap_or_else(|| DEFAULT_LISTEN.to_owned()),
        tls: tls(args.tls_cert.or(file.tls_cert), args.tls_key.or(file.tls_key))?,
        ..ServerOptions::default()
    };
    if let Some(max_connections) = args.max_connections.or(file.max_connections) {
        options.max_connections = max_connections;
    }
    options.threads = args.connection_threads.or(file.connection_threads);
    if dev {
        require_loopback(&options.listen)?;
    }
    let data_dir = args.data_dir.or(file.data_dir);
    if data_dir.is_none() && !dev {
        return Err(
            "serve needs --data-dir DIR (or --dev for a server that keeps nothing)".to_owned()
        );
    }
    let mut engine = EngineOptions {
        login: if dev { LoginPolicy::TrustLoopback } else { LoginPolicy::Verify },
        ..EngineOptions::default()
    };
    let memory_mb = args.memory_mb.or(file.memory_mb);
    allocator::keep_to(memory_mb.unwrap_or(MEMORY_MB_DEFAULT));
    let memory = MemoryPlan::new(memory_mb, args.buffer_cache_mb.or(file.buffer_cache_mb));
    // Adjacency is taken from the same branch, and goes when statements need it.
    let memory_bytes_max = memory.statements + memory.adjacency;
    engine.runtime = RuntimeOptions { memory_bytes_max, ..RuntimeOptions::default() };
    engine.adjacency_bytes_max = Some(memory.adjacency);
    let archive = args.archive_dir.or(file.archive_dir);
    engine.store = data_dir.map(|dir| StoreOptions {
        archive,
        cache_bytes: memory.cache,
        fresh_bytes: memory.fresh,
        ..StoreOptions::local(dir)
    });
    let engine = open_engine(engine, print_line).await?;
    let server =
        Server::bind(options, Arc::clone(&engine)).await.map_err(|error| error.to_string())?;
    let served = run_server(server).await;
    close(engine).await?;
    served
}

/// Opens an engine; if it makes a new store, the password of its first role is shown.
async fn open_engine(
    mut options: EngineOptions,
    show: impl FnOnce(&str),
) -> Result<Arc<Engine>, String> {
    let is_kept = options.store.is_some();
    let password = generate_password();
    if is_kept {
        options.verifier = Some(new_scram_verifier(&password));
    }
    let engine = Engine::open(options).await.map_err(|error| describe_start(&error))?;
    if is_kept && engine.is_new() {
        // Before anything else can fail: from now on the role has this password.
        show(&format!(
            "role \"graphwire\" has the generated password {password}\nIt is not shown again and not stored in clear."
        ));
    }
    Ok(engine)
}

/// Ends writing, on a thread that may block.
async fn close(engine: Arc<Engine>) -> Result<(), String> {
    tokio::task::spawn_blocking(move || engine.close())
        .await
        .map_err(|error| format!("could not close the store: {error}"))?
        .map_err(|error| format!("could not write the last checkpoint: {error}"))
}

/// Why the engine did not open, with what to do about it.
pub(crate) fn describe_start(error: &graphwire::error::PgError) -> String {
    let more = [&error.fields().detail, &error.fields().hint];
    more.into_iter().flatten().fold(error.to_string(), |text, more| format!("{text}\n{more}"))
}

pub(crate) fn print_line(text: &str) {
    use std::io::Write as _;
    // Nobody reads standard output of a daemon; that is no reason to stop.
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn tls(
    cert: Option<std::path::PathBuf>,
    key: Option<std::path::PathBuf>,
) -> Result<Option<TlsOptions>, String> {
    match (cert, key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(TlsOptions { certificate, key })),
        (Some(_), None) => Err("--tls-cert needs --tls-key".to_owned()),
        (None, Some(_)) => Err("--tls-key needs --tls-cert".to_owned()),
    }
}

/// `--dev` lets anybody in, so nobody else's machine may reach it.
fn require_loopback(listen: &str) -> Result<(), String> {
    let host = listen.rsplit_once(':').map_or(listen, |(host, _)| host).trim_matches(['[', ']']);
    let loopback =
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if loopback {
        return Ok(());
    }
    Err(format!("--dev lets anybody in, so it listens on loopback only, not on \"{listen}\""))
}

async fn run_server(server: Server) -> Result<(), String> {
    tracing::info!(address = %server.local_addr(), "listening on {}", server.local_addr());
    let shutdown = on_signals().map_err(|error| format!("could not handle signals: {error}"))?;
    server.serve(shutdown).await;
    Ok(())
}

async fn demo(args: DemoArgs, file: FileConfig) -> Result<(), String> {
    telemetry::init(args.log_format.or(file.log_format).unwrap_or_default());
    let options = EngineOptions { login: LoginPolicy::TrustLoopback, ..EngineOptions::default() };
    let engine = Engine::open(options).await.map_err(|error| error.to_string())?;
    load_demo(&engine).await?;
    let server = bind_free_port(&engine, args.port.unwrap_or(5432)).await?;
    let port = server.local_addr().port();
    print_line(&demo_text(port));
    run_server(server).await
}

/// The first free port from `first` on.
async fn bind_free_port(engine: &Arc<Engine>, first: u16) -> Result<Server, String> {
    const PORTS_TRIED: u16 = 100;
    let mut last = String::new();
    for port in first..=first.saturating_add(PORTS_TRIED) {
        let options =
            ServerOptions { listen: format!("127.0.0.1:{port}"), ..ServerOptions::default() };
        match Server::bind(options, Arc::clone(engine)).await {
            Ok(server) => return Ok(server),
            Err(error @ ServerError::Listen { .. }) => last = error.to_string(),
            Err(error) => return Err(error.to_string()),
        }
    }
    Err(last)
}

async fn load_demo(engine: &Arc<Engine>) -> Result<(), String> {
    let mut session =
        Session::local(engine, "graphwire").await.map_err(|error| error.to_string())?;
    session.run_text(DEMO_SCHEMA).await.map_err(|error| error.to_string())?;
    for (table, csv) in DEMO_TABLES {
        copy_in(&mut session, table, csv)
            .await
            .map_err(|error| format!("demo table {table}: {error}"))?;
    }
    Ok(())
}

async fn copy_in(
    session: &mut Session,
    table: &str,
    csv: &'static str,
) -> Result<(), graphwire::error::PgError> {
    let statements = session.parse(&format!("COPY {table} FROM STDIN (FORMAT csv, HEADER)"))?;
    for statement in &statements {
        let Outcome::CopyIn(copy) = session.run(statement, ScriptPosition::Only).await? else {
            return Err(graphwire::error::PgError::internal("COPY did not ask for data"));
        };
        // The receiver is gone only if it failed, and then finish_copy says why.
        let _ = copy.data.send(Ok(bytes::Bytes::from_static(csv.as_bytes()))).await;
        drop(copy);
        session.finish_copy().await?;
    }
    session.finish().await
}

fn demo_text(port: u16) -> String {
    format!(
        r#"graphwire demo: US airports and the flights between them (US Department of Transportation).

Paste into another terminal:

  psql -h 127.0.0.1 -p {port} -U demo graphwire

The same question three times, in Cypher, SQL/PGQ and SQL:

  psql -h 127.0.0.1 -p {port} -U demo graphwire -c "MATCH (a:Airport {{iata: 'SFO'}})-[r:FLIGHT]->(b) RETURN b.iata, r.flights ORDER BY r.flights DESC LIMIT 5"

  psql -h 127.0.0.1 -p {port} -U demo graphwire -c "SELECT iata, flights FROM GRAPH_TABLE (demo MATCH (a IS \"Airport\" WHERE a.iata = 'SFO')-[r IS \"FLIGHT\"]->(b IS \"Airport\") COLUMNS (b.iata, r.flights)) ORDER BY flights DESC LIMIT 5"

  psql -h 127.0.0.1 -p {port} -U demo graphwire -c "SELECT b.iata, r.flights FROM airport a JOIN flight r ON r.origin = a.iata JOIN airport b ON b.iata = r.destination WHERE a.iata = 'SFO' ORDER BY r.flights DESC LIMIT 5"

Ctrl-C stops it; nothing is kept."#
    )
}

async fn sql(args: SqlArgs) -> Result<(), String> {
    let options = EngineOptions {
        login: LoginPolicy::TrustLoopback,
        store: args.data_dir.as_ref().map(StoreOptions::local),
        ..EngineOptions::default()
    };
    let engine = open_engine(options, |text| eprintln!("{text}")).await?;
    let ran = run_commands(&engine, &args).await;
    close(engine).await?;
    ran
}

async fn run_commands(engine: &Arc<Engine>, args: &SqlArgs) -> Result<(), String> {
    if args.demo {
        load_demo(engine).await?;
    }
    let mut session =
        Session::local(engine, "graphwire").await.map_err(|error| error.to_string())?;
    for text in &args.commands {
        let results = session.run_text(text).await;
        for notice in session.take_notices() {
            eprintln!("{}:  {notice}", notice.fields().severity.word());
        }
        let settings = session.output_settings();
        for result in results.map_err(|error| describe(&error, text))? {
            print_result(&result, &settings)?;
        }
    }
    Ok(())
}

fn describe(error: &graphwire::error::PgError, text: &str) -> String {
    let position =
        error.position_in(text).map_or_else(String::new, |at| format!(" (character {at})"));
    let hint =
        error.fields().hint.as_ref().map_or_else(String::new, |hint| format!(" HINT: {hint}"));
    format!("{error}{position} [{}]{hint}", error.code())
}

fn print_result(result: &Finished, settings: &OutputSettings) -> Result<(), String> {
    print_line(&text_table(result, settings).map_err(|error| error.to_string())?);
    Ok(())
}
