//! What can be configured, by flag, environment variable (`GRAPHWIRE_…`) or TOML file, in that order of precedence.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use graphwire::telemetry::LogFormat;
use serde::Deserialize;

/// A graph database that speaks PostgreSQL: SQL, SQL/PGQ and Cypher over the same tables, to any PostgreSQL client.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
pub(crate) struct Cli {
    /// A TOML file with the same names as the long options (`listen = "0.0.0.0:5432"`). Flags and environment variables win.
    #[arg(long, global = true, env = "GRAPHWIRE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server.
    ///
    /// The first start prints a generated password for the role "graphwire", once. Connect with
    /// `psql -h HOST -p PORT -U graphwire graphwire`. SIGTERM or Ctrl-C stops it in order.
    Serve(ServeArgs),
    /// Run a server on embedded defaults with a real graph loaded: US airports and the flights between them.
    ///
    /// Listens on this machine only, lets any user in without a password, takes the next free port if 5432 is taken, and
    /// prints psql lines to paste.
    Demo(DemoArgs),
    /// Run statements without a server and print their results.
    ///
    /// Without --data-dir everything lives in memory and is gone afterwards. Each -c may hold several statements
    /// separated by semicolons.
    Sql(SqlArgs),
    /// Check a data directory that no server runs on: checksums of all files, row ids, constraints, graphs.
    Verify(VerifyArgs),
    /// Copy a data directory as it is now, whether a server runs on it or not.
    Backup(BackupArgs),
    /// Make a data directory of a backup and, if given, the log that was archived since.
    Restore(RestoreArgs),
}

/// Options of `verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The data directory.
    #[arg(long, env = "GRAPHWIRE_VERIFY_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
    /// Only this tenant; without it, all of them.
    #[arg(long, env = "GRAPHWIRE_VERIFY_TENANT", value_name = "NAME")]
    pub(crate) tenant: Option<String>,
}

/// Options of `backup`.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The data directory.
    #[arg(long, env = "GRAPHWIRE_BACKUP_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
    /// Where the copy goes: an empty directory, or one that is not there.
    #[arg(long, env = "GRAPHWIRE_BACKUP_TO", value_name = "DIR")]
    pub(crate) to: PathBuf,
    /// Only this tenant; without it, all of them.
    #[arg(long, env = "GRAPHWIRE_BACKUP_TENANT", value_name = "NAME")]
    pub(crate) tenant: Option<String>,
}

/// Options of `restore`.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup.
    #[arg(long, env = "GRAPHWIRE_RESTORE_FROM", value_name = "DIR")]
    pub(crate) from: PathBuf,
    /// The data directory to make: empty, or not there.
    #[arg(long, env = "GRAPHWIRE_RESTORE_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
    /// A directory with log segments written after the backup: the server's --archive-dir, or the `wal` folder of its
    /// data directory. Can be given several times.
    #[arg(long, env = "GRAPHWIRE_RESTORE_ARCHIVE", value_name = "DIR")]
    pub(crate) archive: Vec<PathBuf>,
    /// Stop after this commit.
    #[arg(
        long,
        env = "GRAPHWIRE_RESTORE_UNTIL_COMMIT",
        value_name = "N",
        conflicts_with = "until_time"
    )]
    pub(crate) until_commit: Option<u64>,
    /// Stop before the first commit after this time, as 2026-11-21T04:00:00Z.
    #[arg(long, env = "GRAPHWIRE_RESTORE_UNTIL_TIME", value_name = "TIME")]
    pub(crate) until_time: Option<String>,
    /// Put a backup of one tenant into a data directory that is there, in the place of the tenant of this name or as a
    /// new one. What the tenant's store was stays beside it under another name.
    #[arg(long, env = "GRAPHWIRE_RESTORE_TENANT", value_name = "NAME")]
    pub(crate) tenant: Option<String>,
}

/// Options of `serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Directory the server keeps its files in; made if it is not there.
    #[arg(long, env = "GRAPHWIRE_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Directory that log segments are copied to before a checkpoint removes them, for a restore to a point in time.
    #[arg(long, env = "GRAPHWIRE_ARCHIVE_DIR", value_name = "DIR")]
    pub(crate) archive_dir: Option<PathBuf>,
    /// Address to listen on. Port 0 takes a free one. [default: 127.0.0.1:5432]
    #[arg(long, env = "GRAPHWIRE_LISTEN", value_name = "HOST:PORT")]
    pub(crate) listen: Option<String>,
    /// PEM file with the server's certificate chain; TLS is offered if this and --tls-key are given.
    #[arg(long, env = "GRAPHWIRE_TLS_CERT", value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// PEM file with the certificate's private key.
    #[arg(long, env = "GRAPHWIRE_TLS_KEY", value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// How log lines look. [default: text]
    #[arg(long, env = "GRAPHWIRE_LOG_FORMAT", value_enum, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// For development: listen on loopback only and let any user name in without a password, as superuser.
    #[arg(long, env = "GRAPHWIRE_DEV")]
    pub(crate) dev: bool,
    /// How many clients may be logged in at a time. [default: 1000]
    #[arg(long, env = "GRAPHWIRE_MAX_CONNECTIONS", value_name = "N")]
    pub(crate) max_connections: Option<usize>,
    /// Threads that connections live on. [default: one for each processor, but two at least]
    #[arg(long, env = "GRAPHWIRE_CONNECTION_THREADS", value_name = "N")]
    pub(crate) connection_threads: Option<NonZeroUsize>,
    /// Memory that the server may use, in megabytes: statements, rows, adjacency and all else. [default: 4096]
    #[arg(long, env = "GRAPHWIRE_MEMORY_MB", value_name = "MB")]
    pub(crate) memory_mb: Option<usize>,
    /// Memory for rows that were read from files, in megabytes. [default: a quarter of what --memory-mb is over 160]
    #[arg(long, env = "GRAPHWIRE_BUFFER_CACHE_MB", value_name = "MB")]
    pub(crate) buffer_cache_mb: Option<usize>,
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Port to listen on; if it is taken, the next free one. [default: 5432]
    #[arg(long, env = "GRAPHWIRE_DEMO_PORT", value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// How log lines look. [default: text]
    #[arg(long, env = "GRAPHWIRE_LOG_FORMAT", value_enum, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
}

/// Options of `sql`.
#[derive(Debug, Args)]
pub(crate) struct SqlArgs {
    /// Statements to run (SQL, SQL/PGQ or Cypher). Can be given several times.
    #[arg(
        short,
        long = "command",
        env = "GRAPHWIRE_SQL_COMMAND",
        required = true,
        value_name = "STATEMENTS"
    )]
    pub(crate) commands: Vec<String>,
    /// Directory to work on; made if it is not there. No server may be running on it.
    #[arg(long, env = "GRAPHWIRE_SQL_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Load the demo graph first.
    #[arg(long, env = "GRAPHWIRE_SQL_DEMO")]
    pub(crate) demo: bool,
}

/// The TOML file. A name that is not here is an error, not a silent no-op.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct FileConfig {
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) archive_dir: Option<PathBuf>,
    pub(crate) listen: Option<String>,
    pub(crate) tls_cert: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) log_format: Option<LogFormat>,
    pub(crate) dev: Option<bool>,
    pub(crate) max_connections: Option<usize>,
    pub(crate) connection_threads: Option<NonZeroUsize>,
    pub(crate) memory_mb: Option<usize>,
    pub(crate) buffer_cache_mb: Option<usize>,
}

/// How the memory that the server may use is divided, in bytes. What is left is for connections, the catalog, the log's
/// buffers, the program itself, and chunks that are merged and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MemoryPlan {
    /// All statements together; what goes over is spilled, or refused with `53200`.
    pub(crate) statements: usize,
    /// Rows that were read from files.
    pub(crate) cache: usize,
    /// Rows that are in no file yet, before a checkpoint is due.
    pub(crate) fresh: usize,
    /// Adjacency lists of graphs.
    pub(crate) adjacency: usize,
}

pub(crate) const MEMORY_MB_DEFAULT: usize = 4096;

/// What does not grow with the setting: about 100 MB of the program that are resident, and copies of the chunk that is
/// merged and of the one that a checkpoint writes.
const FIXED_BYTES: usize = 160 << 20;

impl MemoryPlan {
    /// Of `--memory-mb` and `--buffer-cache-mb`.
    pub(crate) fn new(memory_mb: Option<usize>, cache_mb: Option<usize>) -> Self {
        let all = memory_mb.unwrap_or(MEMORY_MB_DEFAULT) << 20;
        // Taken from what can be read again or written earlier: statements that spill need all of theirs.
        let rows = all - FIXED_BYTES.min(all / 2);
        let cache = cache_mb.map_or(rows / 4, |cache| cache << 20);
        // While a checkpoint is written, about as many fresh rows come again.
        Self { statements: all * 3 / 8, cache, fresh: rows / 16, adjacency: all / 8 }
    }
}

/// Reads the configuration file.
///
/// # Errors
/// One line that says which file and what is wrong with it.
pub(crate) fn read(path: Option<&Path>) -> Result<FileConfig, String> {
    let Some(path) = path else { return Ok(FileConfig::default()) };
    let text = std::fs::read_to_string(path).map_err(|error| {
        format!("could not read configuration file \"{}\": {error}", path.display())
    })?;
    toml::from_str(&text).map_err(|error: toml::de::Error| {
        format!("configuration file \"{}\": {}", path.display(), error.message())
    })
}
