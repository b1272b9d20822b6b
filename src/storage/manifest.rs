//! The manifest: what a checkpoint consists of. It is written last, and names all files that count.
//!
//! ```text
//! magic "GWMANIF\n"  version:u32=2  reserved:u32  store:u64
//! sequence:varint  time:u64 (µs since 1970)  segment:varint  through:varint
//!     the log is replayed from this segment on, commits after `through`
//! count:varint  database*
//! crc:u32       CRC-32 of everything before
//!
//! database   oid:varint  through:varint  count:varint object*  count:varint table*
//!            its commits up to its own `through` are in here
//! object     kind:u8  id:varint  object:bytes
//! table      oid:varint  next row id:varint  schema  count:varint chunk*
//! chunk      rows:varint  ids  deleted  file  zones  count:varint key*
//! ids        0  first:varint                  first, first + 1, …
//!            1  known:u8  [least:varint  greatest:varint]      in the file, as its first column
//! deleted    0  |  1  ⌈rows/8⌉ bytes, lowest bit first; a set bit is a deleted row
//! file       number:varint  length:varint  checks
//! checks     0  rest:u32 (CRC-32 of what is in no column)  count:varint column*        one group of rows: format 1
//!            1  footer:varint (where it begins)  crc:u32 (CRC-32 of the footer)  rows of a group:varint
//! column     offset:varint  length:varint  crc:u32
//! zones      count:varint  nulls:varint*  bounds:bytes
//!            bounds: empty, or a batch of two rows, the smallest and the largest value of each column
//! key        count:varint column:varint*  range  hashes
//! range      0  |  1  least:bytes  greatest:bytes              encoded keys
//! hashes     0  |  1  offset:varint  pages:varint  seed:varint        in the file: see `key_pages`
//! ```
//!
//! Version 1 has `1` alone for ids in the file, `rest  count  column*` as checks, `nulls:varint bounds:bytes` after each
//! column's checksum, and neither zones nor keys. It is read and not written.

use std::path::Path;

use arrow::datatypes::SchemaRef;

use super::codec::{Malformed, Reader, put_bytes, put_varint};
use super::error::StorageError;
use super::fs::FileSystem;
use super::schema::{put_schema, read_schema};
use super::table::{KeyRange, StoredIds};
use super::wal::ObjectKey;
use crate::types::{CommitNo, Oid};

const MAGIC: &[u8; 8] = b"GWMANIF\n";
const VERSION: u32 = 2;
/// The oldest version that is read.
const VERSION_MIN: u32 = 1;
const PREFIX: &str = "manifest-";

/// The file name of a manifest.
pub(crate) fn manifest_name(sequence: u64) -> String {
    format!("{PREFIX}{sequence:020}")
}

/// The sequence number of a manifest's file name; `None` if it is not one.
pub(crate) fn manifest_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?;
    let plain = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

/// A checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Manifest {
    pub(crate) store: u64,
    /// Grows with each checkpoint.
    pub(crate) sequence: u64,
    /// Microseconds since 1970.
    pub(crate) time_us: i64,
    /// The first log segment to replay.
    pub(crate) segment: u64,
    /// Commits up to this are in it.
    pub(crate) through: CommitNo,
    pub(crate) databases: Vec<StoredDatabase>,
}

/// A database in a checkpoint. The cluster's own objects are those of database 0.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredDatabase {
    pub(crate) oid: Oid,
    /// Its commits up to this are in it; not less than the manifest's.
    pub(crate) through: CommitNo,
    pub(crate) objects: Vec<(ObjectKey, Vec<u8>)>,
    pub(crate) tables: Vec<StoredTable>,
}

/// A table in a checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredTable {
    pub(crate) oid: Oid,
    pub(crate) next_row: u64,
    pub(crate) schema: SchemaRef,
    pub(crate) chunks: Vec<StoredChunk>,
}

/// A chunk in a checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredChunk {
    pub(crate) rows: usize,
    pub(crate) ids: StoredIds,
    /// Packed bits.
    pub(crate) deleted: Option<Vec<u8>>,
    pub(crate) file: StoredFile,
    pub(crate) zones: StoredZones,
    pub(crate) keys: Vec<StoredKey>,
}

/// A chunk's Parquet file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredFile {
    pub(crate) number: u64,
    pub(crate) length: u64,
    pub(crate) checks: FileChecks,
}

/// How the bytes of a file are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileChecks {
    /// Each column by its checksum, all else by one: format 1, one group of rows.
    Columns { rest_crc: u32, columns: Vec<StoredColumn> },
    /// The footer by its checksum; it has those of the columns.
    Footer { offset: u64, crc: u32, block_rows: usize },
}

/// A column's bytes in a Parquet file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredColumn {
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) crc: u32,
}

/// What is known of a chunk's values without reading them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct StoredZones {
    /// By column.
    pub(crate) nulls: Vec<u64>,
    /// An encoded batch of the smallest and the largest values; empty where nothing is known.
    pub(crate) bounds: Vec<u8>,
}

/// What is known of a chunk's rows by some of their columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredKey {
    pub(crate) columns: Vec<usize>,
    /// The least and the greatest encoded key.
    pub(crate) range: Option<KeyRange>,
    /// None where keys ascend with the rows.
    pub(crate) hashes: Option<StoredHashes>,
}

/// A stored index: pages in the chunk's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredHashes {
    pub(crate) offset: u64,
    pub(crate) pages: usize,
    pub(crate) seed: u64,
}

impl Manifest {
    /// The manifest as a file's content.
    ///
    /// # Errors
    /// An Arrow error for a column type that is not stored.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, StorageError> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&0u32.to_le_bytes());
        out.extend_from_slice(&self.store.to_le_bytes());
        put_varint(&mut out, self.sequence);
        out.extend_from_slice(&self.time_us.to_le_bytes());
        put_varint(&mut out, self.segment);
        put_varint(&mut out, self.through.0);
        put_varint(&mut out, self.databases.len() as u64);
        for database in &self.databases {
            put_database(&mut out, database)?;
        }
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        Ok(out)
    }

    /// Reads a manifest's file.
    ///
    /// # Errors
    /// `XX001` if it is damaged, `0A000` if a newer version wrote it.
    pub(crate) fn read(
        fs: &dyn FileSystem,
        dir: &Path,
        sequence: u64,
    ) -> Result<Self, StorageError> {
        let path = dir.join(manifest_name(sequence));
        let bytes = fs.read(&path)?;
        let Some((content, crc)) = bytes.split_last_chunk::<4>() else {
            return Err(StorageError::corrupt(&path, "it is too short for a manifest"));
        };
        if crc32fast::hash(content) != u32::from_le_bytes(*crc) {
            return Err(StorageError::corrupt(&path, "its checksum does not match"));
        }
        let mut reader = Reader::new(content, "manifest");
        let read = |reader: &mut Reader<'_>| -> Result<Result<Self, u32>, Malformed> {
            if reader.take(MAGIC.len())? != MAGIC {
                return Err(reader.malformed());
            }
            let version = reader.u32()?;
            if !(VERSION_MIN..=VERSION).contains(&version) {
                return Ok(Err(version));
            }
            reader.u32()?;
            let manifest = read_manifest(reader, version)?;
            reader.finish()?;
            Ok(Ok(manifest))
        };
        let manifest = read(&mut reader)
            .map_err(|error| StorageError::corrupt(&path, &error.to_string()))?
            .map_err(|version| StorageError::Version {
                path: path.display().to_string(),
                version,
            })?;
        if manifest.sequence != sequence {
            return Err(StorageError::corrupt(&path, "it has another manifest's name"));
        }
        Ok(manifest)
    }

    /// The numbers of all chunk files it names.
    pub(crate) fn files(&self) -> impl Iterator<Item = u64> {
        self.databases
            .iter()
            .flat_map(|database| &database.tables)
            .flat_map(|table| &table.chunks)
            .map(|chunk| chunk.file.number)
    }
}

fn put_database(out: &mut Vec<u8>, database: &StoredDatabase) -> Result<(), StorageError> {
    put_varint(out, u64::from(database.oid.0));
    put_varint(out, database.through.0);
    put_varint(out, database.objects.len() as u64);
    for (key, object) in &database.objects {
        out.push(key.kind);
        put_varint(out, key.id);
        put_bytes(out, object);
    }
    put_varint(out, database.tables.len() as u64);
    for table in &database.tables {
        put_varint(out, u64::from(table.oid.0));
        put_varint(out, table.next_row);
        put_schema(out, &table.schema)?;
        put_varint(out, table.chunks.len() as u64);
        for chunk in &table.chunks {
            put_chunk(out, chunk);
        }
    }
    Ok(())
}

fn put_chunk(out: &mut Vec<u8>, chunk: &StoredChunk) {
    let StoredChunk { rows, ids, deleted, file, zones, keys } = chunk;
    put_varint(out, *rows as u64);
    match ids {
        StoredIds::Range(first) => {
            out.push(0);
            put_varint(out, *first);
        }
        StoredIds::Listed(None) => out.extend_from_slice(&[1, 0]),
        StoredIds::Listed(Some((least, greatest))) => {
            out.extend_from_slice(&[1, 1]);
            put_varint(out, *least);
            put_varint(out, *greatest);
        }
    }
    match deleted {
        None => out.push(0),
        Some(bits) => {
            out.push(1);
            out.extend_from_slice(bits);
        }
    }
    put_file(out, file);
    let StoredZones { nulls, bounds } = zones;
    put_varint(out, nulls.len() as u64);
    nulls.iter().for_each(|nulls| put_varint(out, *nulls));
    put_bytes(out, bounds);
    put_varint(out, keys.len() as u64);
    keys.iter().for_each(|key| put_key(out, key));
}

fn put_file(out: &mut Vec<u8>, StoredFile { number, length, checks }: &StoredFile) {
    put_varint(out, *number);
    put_varint(out, *length);
    match checks {
        FileChecks::Columns { rest_crc, columns } => {
            out.push(0);
            out.extend_from_slice(&rest_crc.to_le_bytes());
            put_varint(out, columns.len() as u64);
            for StoredColumn { offset, length, crc } in columns {
                put_varint(out, *offset);
                put_varint(out, *length);
                out.extend_from_slice(&crc.to_le_bytes());
            }
        }
        FileChecks::Footer { offset, crc, block_rows } => {
            out.push(1);
            put_varint(out, *offset);
            out.extend_from_slice(&crc.to_le_bytes());
            put_varint(out, *block_rows as u64);
        }
    }
}

fn put_key(out: &mut Vec<u8>, StoredKey { columns, range, hashes }: &StoredKey) {
    put_varint(out, columns.len() as u64);
    columns.iter().for_each(|column| put_varint(out, *column as u64));
    match range {
        None => out.push(0),
        Some((least, greatest)) => {
            out.push(1);
            put_bytes(out, least);
            put_bytes(out, greatest);
        }
    }
    match hashes {
        None => out.push(0),
        Some(StoredHashes { offset, pages, seed }) => {
            out.push(1);
            put_varint(out, *offset);
            put_varint(out, *pages as u64);
            put_varint(out, *seed);
        }
    }
}

fn read_manifest(reader: &mut Reader<'_>, version: u32) -> Result<Manifest, Malformed> {
    Ok(Manifest {
        store: reader.u64()?,
        sequence: reader.varint()?,
        time_us: i64::from_le_bytes(reader.array()?),
        segment: reader.varint()?,
        through: CommitNo(reader.varint()?),
        databases: read_many(reader, 4, |reader| read_database(reader, version))?,
    })
}

fn read_many<T>(
    reader: &mut Reader<'_>,
    bytes_each: usize,
    read: impl Fn(&mut Reader<'_>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let count = reader.count(bytes_each)?;
    (0..count).map(|_| read(reader)).collect()
}

fn read_database(reader: &mut Reader<'_>, version: u32) -> Result<StoredDatabase, Malformed> {
    Ok(StoredDatabase {
        oid: Oid(reader.varint32()?),
        through: CommitNo(reader.varint()?),
        objects: read_many(reader, 3, |reader| {
            let key = ObjectKey { kind: reader.u8()?, id: reader.varint()? };
            Ok((key, reader.bytes()?.to_vec()))
        })?,
        tables: read_many(reader, 4, |reader| {
            Ok(StoredTable {
                oid: Oid(reader.varint32()?),
                next_row: reader.varint()?,
                schema: read_schema(reader)?,
                chunks: read_many(reader, 8, |reader| read_chunk(reader, version))?,
            })
        })?,
    })
}

/// A value that may be missing.
fn read_option<T>(
    reader: &mut Reader<'_>,
    read: impl FnOnce(&mut Reader<'_>) -> Result<T, Malformed>,
) -> Result<Option<T>, Malformed> {
    match reader.u8()? {
        0 => Ok(None),
        1 => Ok(Some(read(reader)?)),
        _ => Err(reader.malformed()),
    }
}

fn read_size(reader: &mut Reader<'_>) -> Result<usize, Malformed> {
    usize::try_from(reader.varint32()?).map_err(|_| reader.malformed())
}

fn read_chunk(reader: &mut Reader<'_>, version: u32) -> Result<StoredChunk, Malformed> {
    let rows = read_size(reader)?;
    let ids = match reader.u8()? {
        0 => StoredIds::Range(reader.varint()?),
        1 if version == 1 => StoredIds::Listed(None),
        1 => StoredIds::Listed(read_option(reader, |reader| {
            Ok((reader.varint()?, reader.varint()?))
        })?),
        _ => return Err(reader.malformed()),
    };
    let deleted = read_option(reader, |reader| Ok(reader.take(rows.div_ceil(8))?.to_vec()))?;
    let (number, length) = (reader.varint()?, reader.varint()?);
    let checks = match version {
        1 => read_columns(reader, version)?,
        _ => match reader.u8()? {
            0 => read_columns(reader, version)?,
            1 => FileChecks::Footer {
                offset: reader.varint()?,
                crc: reader.u32()?,
                block_rows: read_size(reader)?,
            },
            _ => return Err(reader.malformed()),
        },
    };
    let file = StoredFile { number, length, checks };
    if version == 1 {
        let zones = StoredZones::default();
        return Ok(StoredChunk { rows, ids, deleted, file, zones, keys: Vec::new() });
    }
    let nulls = read_many(reader, 1, |reader| reader.varint())?;
    let zones = StoredZones { nulls, bounds: reader.bytes()?.to_vec() };
    let keys = read_many(reader, 3, read_key)?;
    Ok(StoredChunk { rows, ids, deleted, file, zones, keys })
}

fn read_columns(reader: &mut Reader<'_>, version: u32) -> Result<FileChecks, Malformed> {
    let rest_crc = reader.u32()?;
    let columns = read_many(reader, 6, |reader| {
        let column =
            StoredColumn { offset: reader.varint()?, length: reader.varint()?, crc: reader.u32()? };
        if version == 1 {
            // Nulls and bounds, which version 1 never filled.
            reader.varint()?;
            reader.bytes()?;
        }
        Ok(column)
    })?;
    Ok(FileChecks::Columns { rest_crc, columns })
}

fn read_key(reader: &mut Reader<'_>) -> Result<StoredKey, Malformed> {
    Ok(StoredKey {
        columns: read_many(reader, 1, read_size)?,
        range: read_option(reader, |reader| Ok((reader.bytes()?.into(), reader.bytes()?.into())))?,
        hashes: read_option(reader, |reader| {
            Ok(StoredHashes {
                offset: reader.varint()?,
                pages: read_size(reader)?,
                seed: reader.varint()?,
            })
        })?,
    })
}
