//! The connection: parameters, notices, notifications, cancel, the end.
use super::{connect, expect_code, runtime, with_client};
use checks::{check, connection_string, Check, Outcome};
use std::future::poll_fn;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, NoTls};

pub const CHECKS: &[Check] = &[
    check("options and names given at connect", connect_options),
    check("notices and notifications", messages),
    check("canceling", canceling),
    check("a statement's time limit", timeout),
    check("no such database", no_database),
    check("a connection that the server ends", terminated),
    check("DISCARD ALL between two users of a connection", discard),
];

fn connect_options() -> Outcome {
    runtime()?.block_on(async {
        let text = format!(
            "{} application_name=checks options='-c statement_timeout=12s -c search_path=one,two'",
            connection_string()
        );
        let (client, connection) = tokio_postgres::connect(&text, NoTls).await?;
        assert_eq!(connection.parameter("application_name"), Some("checks"));
        assert_eq!(connection.parameter("client_encoding"), Some("UTF8"));
        assert!(connection.parameter("server_version").is_some());
        tokio::spawn(connection);
        let row = client
            .query_one("SELECT current_setting('statement_timeout'), current_setting('search_path'), current_setting('application_name')", &[])
            .await?;
        assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1), row.get::<_, &str>(2)), ("12s", "one,two", "checks"));
        Ok(())
    })
}

fn messages() -> Outcome {
    runtime()?.block_on(async {
        let (client, mut connection) = tokio_postgres::connect(&connection_string(), NoTls).await?;
        let (send, mut receive) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                if send.send(message).is_err() {
                    break;
                }
            }
        });
        client.batch_execute("DROP TABLE IF EXISTS tokio_pg_no_such_table").await?;
        let Some(AsyncMessage::Notice(notice)) = receive.recv().await else { panic!("no notice") };
        assert_eq!((notice.code().code(), notice.severity()), ("00000", "NOTICE"));
        client.batch_execute("LISTEN tokio_pg; NOTIFY tokio_pg, 'one'").await?;
        let other = connect().await?;
        other.execute("SELECT pg_notify('tokio_pg', $1)", &[&"two"]).await?;
        for expected in ["one", "two"] {
            let Some(AsyncMessage::Notification(found)) = receive.recv().await else { panic!("no notification") };
            assert_eq!((found.channel(), found.payload()), ("tokio_pg", expected));
        }
        Ok(())
    })
}

fn canceling() -> Outcome {
    with_client(|client| async move {
        let token = client.cancel_token();
        let (answer, cancel) = tokio::join!(client.batch_execute("SELECT pg_sleep(30)"), async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            token.cancel_query(NoTls).await
        });
        cancel?;
        expect_code(answer, "57014");
        client.query_one("SELECT 1", &[]).await?;
        Ok(())
    })
}

fn timeout() -> Outcome {
    with_client(|client| async move {
        client.batch_execute("SET statement_timeout = '100ms'").await?;
        let error = expect_code(client.query("SELECT pg_sleep(30)", &[]).await, "57014");
        assert_eq!(error.message(), "canceling statement due to statement timeout");
        Ok(())
    })
}

fn no_database() -> Outcome {
    runtime()?.block_on(async {
        let text = connection_string();
        let mut config: tokio_postgres::Config = text.parse()?;
        config.dbname("tokio_pg_no_such_database");
        expect_code(config.connect(NoTls).await, "3D000");
        Ok(())
    })
}

fn terminated() -> Outcome {
    with_client(|client| async move {
        let victim = connect().await?;
        let pid: i32 = victim.query_one("SELECT pg_backend_pid()", &[]).await?.get(0);
        let row = client.query_one("SELECT pg_terminate_backend($1)", &[&pid]).await?;
        assert!(row.get::<_, bool>(0));
        for _ in 0..50 {
            if victim.is_closed() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(victim.is_closed());
        Ok(())
    })
}

fn discard() -> Outcome {
    with_client(|client| async move {
        client.batch_execute("CREATE TEMPORARY TABLE t (a int4); SET timezone = 'Asia/Tokyo'").await?;
        client.batch_execute("DISCARD ALL").await?;
        expect_code(client.query("SELECT * FROM t", &[]).await, "42P01");
        let row = client.query_one("SELECT current_setting('timezone')", &[]).await?;
        assert_ne!(row.get::<_, &str>(0), "Asia/Tokyo");
        Ok(())
    })
}
