//! COPY in text and in binary, in and out.
use super::{expect_code, with_client};
use checks::{check, Check, Outcome};
use futures_util::{pin_mut, SinkExt, TryStreamExt};
use postgres_types::Type;
use tokio_postgres::binary_copy::{BinaryCopyInWriter, BinaryCopyOutStream};

pub const CHECKS: &[Check] = &[
    check("COPY in and out as text", text),
    check("COPY in that the client abandons", abandoned),
    check("COPY in and out in binary", binary),
    check("COPY of a row that breaks a constraint", broken),
];

fn text() -> Outcome {
    with_client(|client| async move {
        client.batch_execute("CREATE TABLE t (a int4, b text)").await?;
        let sink = client.copy_in("COPY t FROM STDIN").await?;
        pin_mut!(sink);
        for chunk in ["1\tone\n2\tt", "wo\n3\t\\N\n"] {
            sink.send(bytes(chunk)).await?;
        }
        assert_eq!(sink.finish().await?, 3);
        let chunks: Vec<_> = client.copy_out("COPY (SELECT * FROM t ORDER BY a) TO STDOUT (FORMAT csv, HEADER)").await?.try_collect().await?;
        assert_eq!(String::from_utf8(chunks.concat())?, "a,b\n1,one\n2,two\n3,\n");
        Ok(())
    })
}

fn bytes(text: &'static str) -> std::io::Cursor<&'static [u8]> {
    std::io::Cursor::new(text.as_bytes())
}

fn abandoned() -> Outcome {
    with_client(|client| async move {
        client.batch_execute("CREATE TABLE t (a int4)").await?;
        {
            let sink = client.copy_in("COPY t FROM STDIN").await?;
            pin_mut!(sink);
            sink.send(bytes("1\n")).await?;
        }
        assert_eq!(client.query_one("SELECT count(*) FROM t", &[]).await?.get::<_, i64>(0), 0);
        Ok(())
    })
}

fn binary() -> Outcome {
    with_client(|client| async move {
        client.batch_execute("CREATE TABLE t (a int4, b text, c float8, d bytea, e int8[])").await?;
        let types = [Type::INT4, Type::TEXT, Type::FLOAT8, Type::BYTEA, Type::INT8_ARRAY];
        let writer = BinaryCopyInWriter::new(client.copy_in("COPY t FROM STDIN BINARY").await?, &types);
        pin_mut!(writer);
        for i in 0..5000i32 {
            let text = (i % 7 != 0).then(|| format!("text {i}"));
            writer.as_mut().write(&[&i, &text, &(f64::from(i) / 4.0), &vec![0u8, 255], &vec![i64::from(i), -1]]).await?;
        }
        assert_eq!(writer.finish().await?, 5000);
        let stream = client.copy_out("COPY (SELECT * FROM t ORDER BY a) TO STDOUT BINARY").await?;
        let rows: Vec<_> = BinaryCopyOutStream::new(stream, &types).try_collect().await?;
        assert_eq!(rows.len(), 5000);
        assert_eq!(rows[7].get::<Option<&str>>(1), None);
        assert_eq!((rows[9].get::<&str>(1), rows[9].get::<f64>(2)), ("text 9", 2.25));
        assert_eq!((rows[9].get::<&[u8]>(3), rows[9].get::<Vec<i64>>(4)), (&[0u8, 255][..], vec![9, -1]));
        Ok(())
    })
}

fn broken() -> Outcome {
    with_client(|client| async move {
        client.batch_execute("CREATE TABLE t (a int4 PRIMARY KEY)").await?;
        let sink = client.copy_in("COPY t FROM STDIN").await?;
        pin_mut!(sink);
        sink.send(bytes("1\n1\n")).await?;
        expect_code(sink.finish().await, "23505");
        let sink = client.copy_in("COPY t FROM STDIN").await?;
        pin_mut!(sink);
        sink.send(bytes("1\nx\n")).await?;
        expect_code(sink.finish().await, "22P02");
        assert_eq!(client.query_one("SELECT count(*) FROM t", &[]).await?.get::<_, i64>(0), 0);
        Ok(())
    })
}
