//! COPY data read and written, and the errors; compared with PostgreSQL 15.

use arrow::record_batch::RecordBatch;

use super::*;
use crate::types::{InputSettings, OutputSettings, PgType, TypeError};

fn columns() -> Vec<CopyColumn> {
    let column = |name: &str, ty| CopyColumn { name: name.to_owned(), ty };
    vec![column("a", PgType::Int4), column("b", PgType::Text), column("c", PgType::Float8)]
}

fn read_pieces(
    options: &CopyOptions,
    data: &[u8],
    piece: usize,
    rows: usize,
) -> Result<Vec<RecordBatch>, TypeError> {
    let settings = InputSettings::default();
    let mut reader = CopyReader::new("t", &columns(), options.clone(), &settings, rows);
    let mut batches = Vec::new();
    for piece in data.chunks(piece) {
        reader.push(piece)?;
        batches.extend(std::iter::from_fn(|| reader.next_batch()));
    }
    reader.finish()?;
    batches.extend(std::iter::from_fn(|| reader.next_batch()));
    assert_eq!(batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>(), reader.rows());
    Ok(batches)
}

fn write(options: &CopyOptions, batches: &[RecordBatch]) -> Vec<u8> {
    let mut writer = CopyWriter::new(&columns(), options.clone(), &OutputSettings::default());
    let (mut out, mut ends) = (Vec::new(), Vec::new());
    writer.header(&mut out);
    for batch in batches {
        writer.write(batch, 0..batch.num_rows(), &mut out, &mut ends).unwrap();
    }
    writer.trailer(&mut out);
    out
}

/// Reads in pieces of every size, and writes: the same bytes each time.
fn round(options: &CopyOptions, data: &str) -> String {
    let whole = read_pieces(options, data.as_bytes(), usize::MAX, 1000).unwrap();
    let written = write(options, &whole);
    for piece in 1..data.len().max(2) {
        let batches = read_pieces(options, data.as_bytes(), piece, 2).unwrap();
        assert_eq!(write(options, &batches), written, "pieces of {piece}");
    }
    String::from_utf8(written).unwrap()
}

fn csv(change: impl FnOnce(&mut CopyOptionTexts)) -> CopyOptions {
    let mut texts =
        CopyOptionTexts { format: CopyFormat::Csv, reads: true, ..CopyOptionTexts::default() };
    change(&mut texts);
    CopyOptions::check(texts).unwrap()
}

#[test]
fn text_lines() {
    let options = CopyOptions::new(CopyFormat::Text);
    let plain = "1\tone\t1.5\n2\t\\N\t\\N\n-3\tä\\tb\\\\c\\nd\t0.1\n";
    assert_eq!(round(&options, plain), plain);
    assert_eq!(round(&options, "1\ta\\\nb\t2\n"), "1\ta\\nb\t2\n");
    assert_eq!(round(&options, "1\t\\x41\\102\\q\\\t\t2\r\n2\t\t3\r\n"), "1\tABq\\t\t2\n2\t\t3\n");
    assert_eq!(round(&options, "1\ta\t2\n\\.\nnonsense\n"), "1\ta\t2\n");
    assert_eq!(round(&options, "1\ta\t2\\.\n3\n"), "1\ta\t2\n");
    assert_eq!(round(&options, "1\ta\t2\\\n"), "1\ta\t2\n");
    assert_eq!(round(&options, "1\ta\t2"), "1\ta\t2\n");
    assert_eq!(round(&options, ""), "");
    let bar = CopyOptions { delimiter: b'|', null: b"".to_vec(), ..options };
    assert_eq!(round(&bar, "1|a\\|b|\n|\\\\N|2\n"), "1|a\\|b|\n|\\\\N|2\n");
}

#[test]
fn csv_lines() {
    let options = csv(|_| {});
    assert_eq!(round(&options, "1,one,1.5\n2,,\n3,\"\",2\n"), "1,one,1.5\n2,,\n3,\"\",2\n");
    assert_eq!(
        round(&options, "1,\"a,\"\"b\"\"\nc\",2\r\n2,x\"y,\"z,3\r\n"),
        "1,\"a,\"\"b\"\"\nc\",2\n2,\"xy,z\",3\n"
    );
    let escape = csv(|texts| texts.escape = Some("\\".to_owned()));
    assert_eq!(round(&escape, "1,\"a\\\"b\\\\c\nd\",2\n"), "1,\"a\\\"b\\\\c\nd\",2\n");
    let forced = csv(|texts| {
        texts.null = Some("NULL".to_owned());
        texts.force_null = CopyColumns::Named(vec!["b".to_owned()]);
    });
    assert_eq!(
        round(&forced, "1,\"NULL\",2\n2,NULL,NULL\n3,,1\n"),
        "1,NULL,2\n2,NULL,NULL\n3,,1\n"
    );
    let not_null = csv(|texts| texts.force_not_null = CopyColumns::All);
    assert_eq!(round(&not_null, "1,,2\n"), "1,\"\",2\n");
    let quoted = CopyOptions { force_quote: CopyColumns::All, ..csv(|_| {}) };
    assert_eq!(round(&quoted, "1,a,\n"), "\"1\",\"a\",\n");
}

#[test]
fn headers() {
    let skipped = csv(|texts| texts.header = CopyHeader::Present);
    assert_eq!(round(&skipped, "x,y\n1,a,2\n"), "a,b,c\n1,a,2\n");
    let matched = csv(|texts| texts.header = CopyHeader::Match);
    assert_eq!(round(&matched, "a,\"b\",c\n1,a,2\n"), "a,b,c\n1,a,2\n");
    let error = |data: &str| read_pieces(&matched, data.as_bytes(), 7, 10).unwrap_err().message;
    assert_eq!(error("a,b\n"), "wrong number of fields in header line: got 2, expected 3");
    assert_eq!(
        error("a,x,c\n"),
        "column name mismatch in header line field 2: got \"x\", expected \"b\""
    );
    assert_eq!(
        error("a,,c\n"),
        "column name mismatch in header line field 2: got null value (\"\"), expected \"b\""
    );
}

#[test]
fn errors_say_where() {
    let text = CopyOptions::new(CopyFormat::Text);
    let csv = csv(|_| {});
    let cases: &[(&CopyOptions, &[u8], &str, &str, &str)] = &[
        (
            &text,
            b"1\ta\t2\nx\ta\t2\n",
            "22P02",
            "invalid input syntax for type integer: \"x\"",
            "COPY t, line 2, column a: \"x\"",
        ),
        (&text, b"1\n", "22P04", "missing data for column \"b\"", "COPY t, line 1: \"1\""),
        (
            &text,
            b"1\ta\t2\t3\n",
            "22P04",
            "extra data after last expected column",
            "COPY t, line 1: \"1\ta\t2\t3\"",
        ),
        (
            &text,
            b"1\ta\xff\t2\n",
            "22021",
            "invalid byte sequence for encoding \"UTF8\": 0xff",
            "COPY t, line 1",
        ),
        (
            &text,
            b"1\ta\t2\n1\ta\t2\r\n",
            "22P04",
            "literal carriage return found in data",
            "COPY t, line 2",
        ),
        (
            &text,
            b"1\ta\t2\r\n1\ta\t2\n",
            "22P04",
            "literal newline found in data",
            "COPY t, line 2",
        ),
        (&text, b"1\ta\\.b\t2\n", "22P04", "end-of-copy marker corrupt", "COPY t, line 1"),
        (&csv, b"1,\"a\n", "22P04", "unterminated CSV quoted field", "COPY t, line 1: \"1,\"a\n\""),
        (
            &csv,
            b"1,a,99999999999999999999999x\n",
            "22P02",
            "invalid input syntax for type double precision: \"99999999999999999999999x\"",
            "COPY t, line 1, column c: \"99999999999999999999999x\"",
        ),
    ];
    for (options, data, code, message, context) in cases {
        for piece in 1..data.len() {
            let error = read_pieces(options, data, piece, 10).unwrap_err();
            let found = (error.sqlstate, error.message.as_str(), error.context.as_deref());
            assert_eq!(found, (*code, *message, Some(*context)));
        }
    }
}

#[test]
fn binary_rows() {
    let options = CopyOptions::new(CopyFormat::Binary);
    let text = CopyOptions::new(CopyFormat::Text);
    let plain = b"1\tone\t1.5\n2\t\\N\t\\N\n";
    let batches = read_pieces(&text, plain, 100, 100).unwrap();
    let data = write(&options, &batches);
    for piece in 1..data.len() {
        let again = read_pieces(&options, &data, piece, 1).unwrap();
        assert_eq!(write(&text, &again), plain);
    }
    // Data may end where a row would begin, as in PostgreSQL; nowhere else.
    let mut ends = 0;
    for cut in 0..data.len() - 2 {
        match read_pieces(&options, &data[..cut], 10, 1) {
            Ok(rows) => {
                assert!(plain.starts_with(&write(&text, &rows)), "cut at {cut}");
                ends += 1;
            }
            Err(error) => assert_eq!(error.sqlstate, "22P04", "cut at {cut}"),
        }
    }
    assert_eq!(ends, 2);
    assert_eq!(read_pieces(&options, b"nonsense", 3, 1).unwrap_err().sqlstate, "22P04");
}

#[test]
fn options_are_checked() {
    let check = |change: fn(&mut CopyOptionTexts)| {
        let mut texts = CopyOptionTexts { reads: true, ..CopyOptionTexts::default() };
        change(&mut texts);
        CopyOptions::check(texts).map_err(|error| error.message)
    };
    type Change = fn(&mut CopyOptionTexts);
    let cases: &[(Change, &str)] = &[
        (
            |texts| texts.delimiter = Some("ab".to_owned()),
            "COPY delimiter must be a single one-byte character",
        ),
        (|texts| texts.delimiter = Some("a".to_owned()), "COPY delimiter cannot be \"a\""),
        (|texts| texts.quote = Some("'".to_owned()), "COPY quote available only in CSV mode"),
        (
            |texts| texts.null = Some("a\tb".to_owned()),
            "COPY delimiter must not appear in the NULL specification",
        ),
        (
            |texts| texts.null = Some("\n".to_owned()),
            "COPY null representation cannot use newline or carriage return",
        ),
        (
            |texts| {
                texts.format = CopyFormat::Csv;
                texts.delimiter = Some("\"".to_owned())
            },
            "COPY delimiter and quote must be different",
        ),
        (
            |texts| {
                texts.format = CopyFormat::Csv;
                texts.force_quote = CopyColumns::All
            },
            "COPY force quote only available using COPY TO",
        ),
        (
            |texts| {
                texts.format = CopyFormat::Binary;
                texts.header = CopyHeader::Present
            },
            "cannot specify HEADER in BINARY mode",
        ),
    ];
    for (change, message) in cases {
        assert_eq!(check(*change).unwrap_err(), *message);
    }
    assert_eq!(check(|texts| texts.delimiter = Some("|".to_owned())).unwrap().delimiter, b'|');
}

#[test]
fn any_bytes_are_read_alike_in_any_pieces() {
    const SPICE: &[u8] = b"1\t\n,\\\"\r.Na\n\t,\xff;";
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |bound: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % bound) as usize
    };
    let csv_escape = csv(|texts| texts.escape = Some("\\".to_owned()));
    for options in [CopyOptions::new(CopyFormat::Text), csv(|_| {}), csv_escape] {
        for _ in 0..3000 {
            let data: Vec<u8> = (0..below(40)).map(|_| SPICE[below(SPICE.len() as u64)]).collect();
            let read = |piece| {
                let column = CopyColumn { name: "a".to_owned(), ty: PgType::Text };
                let columns = [column.clone(), CopyColumn { name: "b".to_owned(), ..column }];
                let settings = InputSettings::default();
                let mut reader = CopyReader::new("t", &columns, options.clone(), &settings, 100);
                data.chunks(piece).try_for_each(|piece| reader.push(piece))?;
                reader.finish()?;
                Ok::<_, TypeError>(reader.next_batch())
            };
            let whole = read(usize::MAX);
            for piece in 1..=data.len() {
                assert_eq!(read(piece), whole, "{:?} in pieces of {piece}", data.escape_ascii());
            }
        }
    }
}
