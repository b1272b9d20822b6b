//! Each form of the grammar, and what is not of it.

use super::ast::*;
use crate::parser::{Body, QueryLanguage, Utility, parse_script};

fn read(text: &str) -> Tenancy {
    let mut statements = parse_script(text, QueryLanguage::Auto, &|_| false).unwrap();
    match statements.pop().unwrap().body {
        Body::Utility(Utility::Tenancy(tenancy)) => *tenancy,
        other => panic!("{text}: {other:?}"),
    }
}

fn refused(text: &str) -> String {
    let error = parse_script(text, QueryLanguage::Auto, &|_| false).unwrap_err();
    let error = crate::error::PgError::from(error);
    format!("{} {error}", error.code())
}

#[test]
fn tenants() {
    let Tenancy::CreateTenant { if_not_exists: true, name, options } = read(
        "CREATE TENANT IF NOT EXISTS acme WITH (tier = 'gold', max_roles = 5, read_only = off)",
    ) else {
        panic!("not a tenant")
    };
    assert_eq!(name.value, "acme");
    let options: Vec<_> =
        options.iter().map(|one| (one.name.value.as_str(), one.value.text())).collect();
    assert_eq!(options, [("tier", "gold"), ("max_roles", "5"), ("read_only", "off")]);
    assert!(matches!(
        read("ALTER TENANT a RESET (tier, comment)"),
        Tenancy::AlterTenant { action: TenantAction::Reset(names), .. } if names.len() == 2
    ));
    assert!(matches!(
        read("alter tenant a suspend"),
        Tenancy::AlterTenant { action: TenantAction::Suspend, .. }
    ));
    assert!(matches!(
        read("DROP TENANT IF EXISTS a CASCADE"),
        Tenancy::DropTenant { if_exists: true, cascade: true, .. }
    ));
    assert_eq!(refused("ALTER TENANT a"), "42601 syntax error at end of input");
    assert_eq!(
        refused("CREATE TENANT a WITH (tier gold)"),
        "42601 syntax error at or near \"gold\""
    );
}

#[test]
fn quotas() {
    let text = "CREATE OR REPLACE QUOTA gold KEYED BY TENANT
        FOR INTERVAL '1 hour' MAX queries = 25000, errors = 10,
        FOR RANDOMIZED INTERVAL 1 second MAX queries = 100 BURST 200,
        FOR INTERVAL '1 day' TRACKING ONLY
        LIMIT storage_bytes = '2 TB', connections = 250
        ON EXCEEDED DELAY '2 seconds'
        TO TENANT acme, ann, ALL EXCEPT beta, bob";
    let Tenancy::CreateQuota { or_replace: true, body, .. } = read(text) else {
        panic!("not a quota")
    };
    assert_eq!(body.keyed.as_deref(), Some("TENANT"));
    let intervals = body.intervals.unwrap();
    assert_eq!(intervals.len(), 3);
    assert!(matches!(&intervals[0].limits, QuotaLimits::Max(max, None) if max.len() == 2));
    assert_eq!((intervals[1].interval.as_str(), intervals[1].randomized), ("1 second", true));
    assert!(matches!(&intervals[1].limits, QuotaLimits::Max(_, Some(burst)) if burst == "200"));
    assert_eq!(intervals[2].limits, QuotaLimits::TrackingOnly);
    assert_eq!(body.gauges.unwrap().len(), 2);
    assert_eq!(body.exceeded, Some(("DELAY".to_owned(), Some("2 seconds".to_owned()))));
    let to = body.to.unwrap();
    assert!(matches!(&to[0], QuotaTarget::Tenant(name) if name.value == "acme"));
    assert!(matches!(&to[1], QuotaTarget::Role(name) if name.value == "ann"));
    assert!(matches!(&to[2], QuotaTarget::All(except) if except.len() == 2));
    let shown = |text| parse_script(text, QueryLanguage::Auto, &|_| false).unwrap().pop().unwrap();
    assert!(matches!(shown("SHOW QUOTA USAGE FOR TENANT acme").body, Body::Sql { .. }));
    assert!(matches!(
        read("ALTER QUOTA a RENAME TO b"),
        Tenancy::AlterQuota { rename: Some(_), .. }
    ));
    assert_eq!(refused("ALTER QUOTA a"), "42601 syntax error at end of input");
    assert_eq!(refused("CREATE QUOTA a FOR INTERVAL 1"), "42601 syntax error at end of input");
}

#[test]
fn databases() {
    let Tenancy::CreateDatabase { options, .. } = read(
        "CREATE DATABASE d WITH OWNER = ann CONNECTION LIMIT 5 TEMPLATE template0 ENCODING 'UTF8'",
    ) else {
        panic!("not a database")
    };
    let names: Vec<_> = options.iter().map(|one| one.name.value.to_lowercase()).collect();
    assert_eq!(names, ["owner", "connection_limit", "template", "encoding"]);
    assert!(matches!(
        read("DROP DATABASE d WITH (FORCE)"),
        Tenancy::DropDatabase { force: true, .. }
    ));
}

#[test]
fn calls() {
    let Tenancy::Call { function, arguments, column } =
        read("SELECT graphwire.create_tenant($1, tier => 'gold', comment := NULL) AS done")
    else {
        panic!("not a call")
    };
    assert_eq!((function.as_str(), column.as_str()), ("create_tenant", "done"));
    assert_eq!(
        arguments,
        [
            (None, Argument::Parameter(0)),
            (Some("tier".to_owned()), Argument::Text("gold".to_owned())),
            (Some("comment".to_owned()), Argument::Null),
        ]
    );
    assert_eq!(
        refused("SELECT graphwire.create_tenant(name) FROM t"),
        "42601 syntax error at or near \"name\""
    );
}
