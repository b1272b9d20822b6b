//! The manifest: what a checkpoint consists of. It is written last, and names all files that count.
//!
//! ```text
//! magic "GWMANIF\n"  version:u32=1  reserved:u32  store:u64
//! sequence:varint  time:u64 (µs since 1970)  segment:varint  through:varint
//!     the log is replayed from this segment on, commits after `through`
//! count:varint  database*
//! crc:u32       CRC-32 of everything before
//!
//! database   oid:varint  through:varint  count:varint object*  count:varint table*
//!            its commits up to its own `through` are in here
//! object     kind:u8  id:varint  object:bytes
//! table      oid:varint  next row id:varint  schema  count:varint chunk*
//! chunk      rows:varint  ids  deleted  file
//! ids        0  first:varint                  first, first + 1, …
//!            1                                in the file, as its first column
//! deleted    0  |  1  ⌈rows/8⌉ bytes, lowest bit first; a set bit is a deleted row
//! file       number:varint  length:varint  rest:u32 (CRC-32 of what is in no column)  count:varint column*
//! column     offset:varint  length:varint  crc:u32  nulls:varint  bounds:bytes
//!            bounds: empty, or a batch of two rows, the smallest and the largest value
//! ```

use std::path::Path;

use arrow::datatypes::SchemaRef;

use super::codec::{Malformed, Reader, put_bytes, put_varint};
use super::error::StorageError;
use super::fs::FileSystem;
use super::schema::{put_schema, read_schema};
use super::wal::ObjectKey;
use crate::types::{CommitNo, Oid};

const MAGIC: &[u8; 8] = b"GWMANIF\n";
const VERSION: u32 = 1;
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
    /// The first row's id if they are consecutive, else they are the file's first column.
    pub(crate) first: Option<u64>,
    /// Packed bits.
    pub(crate) deleted: Option<Vec<u8>>,
    pub(crate) file: StoredFile,
}

/// A chunk's Parquet file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredFile {
    pub(crate) number: u64,
    pub(crate) length: u64,
    /// CRC-32 of all bytes that belong to no column.
    pub(crate) rest_crc: u32,
    pub(crate) columns: Vec<StoredColumn>,
}

/// A column's bytes in a Parquet file, and what is known of its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredColumn {
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) crc: u32,
    pub(crate) nulls: u64,
    /// An encoded batch of the smallest and the largest value; empty where nothing is known.
    pub(crate) bounds: Vec<u8>,
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
            if version != VERSION {
                return Ok(Err(version));
            }
            reader.u32()?;
            let manifest = read_manifest(reader)?;
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
    put_varint(out, chunk.rows as u64);
    match chunk.first {
        Some(first) => {
            out.push(0);
            put_varint(out, first);
        }
        None => out.push(1),
    }
    match &chunk.deleted {
        None => out.push(0),
        Some(bits) => {
            out.push(1);
            out.extend_from_slice(bits);
        }
    }
    let StoredFile { number, length, rest_crc, columns } = &chunk.file;
    put_varint(out, *number);
    put_varint(out, *length);
    out.extend_from_slice(&rest_crc.to_le_bytes());
    put_varint(out, columns.len() as u64);
    for StoredColumn { offset, length, crc, nulls, bounds } in columns {
        put_varint(out, *offset);
        put_varint(out, *length);
        out.extend_from_slice(&crc.to_le_bytes());
        put_varint(out, *nulls);
        put_bytes(out, bounds);
    }
}

fn read_manifest(reader: &mut Reader<'_>) -> Result<Manifest, Malformed> {
    Ok(Manifest {
        store: reader.u64()?,
        sequence: reader.varint()?,
        time_us: i64::from_le_bytes(reader.array()?),
        segment: reader.varint()?,
        through: CommitNo(reader.varint()?),
        databases: read_many(reader, 4, read_database)?,
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

fn read_database(reader: &mut Reader<'_>) -> Result<StoredDatabase, Malformed> {
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
                chunks: read_many(reader, 8, read_chunk)?,
            })
        })?,
    })
}

fn read_chunk(reader: &mut Reader<'_>) -> Result<StoredChunk, Malformed> {
    let rows = usize::try_from(reader.varint32()?).map_err(|_| reader.malformed())?;
    let first = match reader.u8()? {
        0 => Some(reader.varint()?),
        1 => None,
        _ => return Err(reader.malformed()),
    };
    let deleted = match reader.u8()? {
        0 => None,
        1 => Some(reader.take(rows.div_ceil(8))?.to_vec()),
        _ => return Err(reader.malformed()),
    };
    let file = StoredFile {
        number: reader.varint()?,
        length: reader.varint()?,
        rest_crc: reader.u32()?,
        columns: read_many(reader, 8, |reader| {
            Ok(StoredColumn {
                offset: reader.varint()?,
                length: reader.varint()?,
                crc: reader.u32()?,
                nulls: reader.varint()?,
                bounds: reader.bytes()?.to_vec(),
            })
        })?,
    };
    Ok(StoredChunk { rows, first, deleted, file })
}
