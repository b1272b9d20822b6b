//! Which tenant a client gets to.

use super::server::{PASSWORD, Running, refused, run, try_run};

#[tokio::test(flavor = "multi_thread")]
async fn the_user_decides_and_the_rest_must_agree() {
    let server = Running::start().await;
    server.tenant("acme", "ann").await;
    server.tenant("beta", "bob").await;
    let operator = server.operator().await;
    run(&operator, "SET graphwire.tenant = 'beta'").await;
    run(&operator, &format!("CREATE ROLE ann LOGIN PASSWORD '{PASSWORD}'")).await;
    let here = "SELECT graphwire.current_tenant(), current_database(), current_user";
    for (parameters, expected) in [
        ("user=bob", "beta|beta|bob"),
        ("user=bob dbname=beta", "beta|beta|bob"),
        ("user=bob@beta dbname=beta", "beta|beta|bob"),
        ("user=ann@acme", "acme|acme|ann"),
        ("user=ann@beta", "beta|beta|ann"),
        ("user=ann dbname=acme", "acme|acme|ann"),
        ("user=ann dbname=beta", "beta|beta|ann"),
        ("user=ann options='-c graphwire.tenant=beta'", "beta|beta|ann"),
        ("user=ann@beta options='-c graphwire.tenant=beta' dbname=beta", "beta|beta|ann"),
        ("user=graphwire dbname=graphwire", "system|graphwire|graphwire"),
        ("user=graphwire@system dbname=postgres", "system|postgres|graphwire"),
        ("user=graphwire options='-c graphwire.tenant=acme'", "acme|acme|graphwire"),
    ] {
        let client = server.connect(parameters).await;
        assert_eq!(run(&client, here).await, [expected], "{parameters}");
    }
    for (parameters, code) in [
        ("user=ann@acme options='-c graphwire.tenant=beta'", "28000"),
        ("user=bob@acme", "28P01"),
        ("user=bob@nowhere", "28P01"),
        ("user=nobody", "28P01"),
        ("user=bob options='-c graphwire.tenant=acme'", "28P01"),
        ("user=bob options='-c graphwire.tenant=nowhere'", "28P01"),
        // Both tenants have one, and nothing says which.
        ("user=ann", "28P01"),
        // The bootstrap role of a tenant has no password.
        ("user=graphwire@acme", "28P01"),
        ("user=bob dbname=acme", "3D000"),
        ("user=bob dbname=graphwire", "3D000"),
        ("user=bob dbname=nowhere", "3D000"),
    ] {
        let refused = server.try_connect(parameters).await.err().expect(parameters);
        assert_eq!(refused.code, code, "{parameters}: {refused:?}");
        assert_eq!(refused.severity, "FATAL");
    }
    // An unknown tenant, an unknown user and a wrong password read alike.
    let texts: Vec<_> = ["user=x@nowhere", "user=x@acme", "user=x", "user=bob password=wrong"]
        .into_iter()
        .map(|parameters| (parameters, server.try_connect(parameters)))
        .collect();
    for (parameters, connecting) in texts {
        let told = connecting.await.err().expect(parameters);
        let user = parameters.split(' ').next().unwrap().trim_start_matches("user=");
        let expected = format!("password authentication failed for user \"{user}\"");
        assert_eq!((told.message.as_str(), told.detail.as_str()), (expected.as_str(), ""));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn suspended_tenants_let_nobody_in() {
    let server = Running::start().await;
    server.tenant("acme", "ann").await;
    let (operator, ann) = (server.operator().await, server.connect("user=ann").await);
    let running = tokio::spawn(async move {
        let told = refused(&ann, "SELECT pg_sleep(60)").await;
        (ann, told)
    });
    while run(&operator, "SELECT 1").await.is_empty()
        || server.engine.running_statements("acme") == 0
    {
        tokio::task::yield_now().await;
    }
    run(&operator, "ALTER TENANT acme SUSPEND").await;
    let (ann, told) = running.await.unwrap();
    assert_eq!(told.code, "57014");
    assert_eq!(refused(&ann, "SELECT 1").await.code, "57P03");
    let told = server.try_connect("user=ann").await.err().unwrap();
    assert_eq!((told.severity.as_str(), told.code.as_str()), ("FATAL", "57P03"));
    // Who does not know the password learns nothing of it.
    assert_eq!(server.try_connect("user=ann password=no").await.err().unwrap().code, "28P01");
    assert_eq!(
        run(&operator, "SELECT tenant, state FROM graphwire.tenants ORDER BY 1").await,
        ["acme|suspended", "system|active"]
    );
    run(&operator, "SET graphwire.tenant = 'acme'").await;
    assert_eq!(run(&operator, "SELECT graphwire.current_tenant()").await, ["acme"]);
    run(&operator, "RESET graphwire.tenant").await;
    run(&operator, "ALTER TENANT acme RESUME").await;
    assert_eq!(run(&ann, "SELECT 1").await, ["1"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_operators_change_tenants() {
    let server = Running::start().await;
    server.tenant("acme", "ann").await;
    let ann = server.connect("user=ann").await;
    for statement in [
        "CREATE TENANT beta",
        "ALTER TENANT acme SET (tier = 'gold')",
        "ALTER TENANT beta SUSPEND",
        "DROP TENANT acme CASCADE",
        "CREATE QUOTA mine FOR INTERVAL '1 hour' MAX queries = 1",
        "ALTER QUOTA bronze TO TENANT acme",
        "DROP QUOTA nothing",
        "SELECT graphwire.create_tenant('beta')",
        "SET graphwire.tenant = 'system'",
        "SET graphwire.tenant = 'nowhere'",
    ] {
        assert_eq!(refused(&ann, statement).await.code, "42501", "{statement}");
    }
    assert_eq!(run(&ann, "SHOW TENANTS").await.len(), 1);
    let operator = server.operator().await;
    for (statement, code) in [
        ("CREATE TENANT acme", "42710"),
        ("CREATE TENANT system", "42939"),
        ("CREATE TENANT \"a@b\"", "42602"),
        ("CREATE TENANT x WITH (kms_key = 'k')", "0A000"),
        ("CREATE TENANT x WITH (colour = 'red')", "22023"),
        ("CREATE TENANT x WITH (tier = 'tin')", "22023"),
        ("ALTER TENANT nowhere SUSPEND", "42704"),
        ("ALTER TENANT system SUSPEND", "55000"),
        ("DROP TENANT nowhere", "42704"),
        ("DROP TENANT acme", "2BP01"),
        ("BEGIN; CREATE TENANT x; COMMIT", "25001"),
        ("SET graphwire.tenant = 'nowhere'", "42704"),
        ("SET graphwire.colour = 'red'", "42704"),
        ("CREATE QUOTA x KEYED BY API KEY FOR INTERVAL '1 hour' MAX queries = 1", "0A000"),
        ("CREATE QUOTA x FOR INTERVAL '1 hour' MAX read_bytes = 1", "0A000"),
        ("CREATE QUOTA x LIMIT vertices = 1", "0A000"),
        ("CREATE QUOTA x FOR INTERVAL '1 hour' MAX colours = 1", "22023"),
        ("CREATE QUOTA x FOR INTERVAL 'soon' MAX queries = 1", "22007"),
        ("CREATE QUOTA gold LIMIT connections = 1", "42710"),
        ("ALTER QUOTA gold LIMIT connections = 1", "55000"),
        ("DROP QUOTA gold", "55000"),
        ("CREATE QUOTA x LIMIT connections = 1 TO TENANT nowhere", "42704"),
    ] {
        assert_eq!(refused(&operator, statement).await.code, code, "{statement}");
        let _ = try_run(&operator, "ROLLBACK").await;
    }
    assert!(try_run(&operator, "CREATE TENANT IF NOT EXISTS acme").await.is_ok());
    assert!(try_run(&operator, "DROP TENANT IF EXISTS nowhere").await.is_ok());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_do_what_statements_do() {
    let server = Running::start().await;
    let operator = server.operator().await;
    let made =
        operator.query("SELECT graphwire.create_tenant($1, tier => $2)", &[&"acme", &"gold"]);
    let rows = made.await.unwrap();
    assert_eq!(rows[0].get::<_, String>(0), "CREATE TENANT");
    for call in [
        "SELECT graphwire.alter_tenant('acme', comment => 'it''s ours')",
        "SELECT graphwire.suspend_tenant('acme')",
        "SELECT graphwire.resume_tenant(name => 'acme')",
        "SELECT graphwire.rename_tenant('acme', 'apex')",
        "SELECT graphwire.create_quota('q', 'FOR INTERVAL ''1 hour'' MAX queries = 5')",
        "SELECT graphwire.alter_quota('q', 'TO TENANT apex')",
        "SELECT graphwire.create_database('more')",
        "SELECT graphwire.alter_database('more', connection_limit => '5')",
    ] {
        run(&operator, call).await;
    }
    assert_eq!(
        run(
            &operator,
            "SELECT tenant, tier, options FROM graphwire.tenants WHERE tenant <> 'system'"
        )
        .await,
        ["apex|gold|{\"comment=it's ours\",tier=gold}"]
    );
    assert_eq!(
        run(&operator, "SELECT assigned_to, intervals FROM graphwire.quotas WHERE quota = 'q'")
            .await,
        ["{\"TENANT apex\"}|{\"FOR INTERVAL '1 hour' MAX queries = 5\"}"]
    );
    assert_eq!(
        run(&operator, "SELECT datname, datconnlimit FROM pg_database WHERE datname = 'more'")
            .await,
        ["more|5"]
    );
    for call in [
        "SELECT graphwire.drop_database('more')",
        "SELECT graphwire.drop_quota('q')",
        "SELECT graphwire.drop_tenant('apex', cascade => true)",
    ] {
        run(&operator, call).await;
    }
    assert_eq!(run(&operator, "SHOW TENANTS").await.len(), 1);
    assert_eq!(refused(&operator, "SELECT graphwire.create_tenant()").await.code, "42883");
    assert_eq!(
        refused(&operator, "SELECT graphwire.alter_tenant('x', colour => 'y')").await.code,
        "42704"
    );
    server.stop().await;
}
