use super::*;
use crate::parser::{Body, QueryLanguage, Utility, parse_script};

fn read(text: &str) -> RoleStatement {
    let parsed = parse_script(text, QueryLanguage::Auto, &|_| false);
    let parsed = parsed.unwrap_or_else(|error| panic!("{text}: {error:?}"));
    match parsed.into_iter().next().map(|statement| statement.body) {
        Some(Body::Utility(Utility::Roles(statement))) => *statement,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn roles_and_their_options() {
    let RoleStatement::Create { name, options } = read(
        "CREATE ROLE alice WITH LOGIN NOINHERIT CONNECTION LIMIT 5 PASSWORD 'x' VALID UNTIL '2027-01-01' IN ROLE a, b ADMIN c",
    ) else {
        panic!()
    };
    assert!(matches!(name, RoleName::Name(name) if name.value == "alice"));
    assert_eq!(options.len(), 7);
    assert_eq!(options[0], RoleOption::Login(true));
    assert_eq!(options[1], RoleOption::Inherit(false));
    let RoleStatement::Create { options, .. } = read("CREATE USER bob") else { panic!() };
    assert_eq!(options, [RoleOption::Login(true)]);
    assert!(matches!(
        read("ALTER ROLE a IN DATABASE d SET search_path TO \"$user\", public"),
        RoleStatement::Settings { change: SettingChange::Set { value, .. }, .. }
            if value == "$user, public"
    ));
    assert!(matches!(
        read("DROP USER IF EXISTS a, b"),
        RoleStatement::Drop { if_exists: true, .. }
    ));
}

#[test]
fn grants_of_rights_and_of_roles() {
    let RoleStatement::Rights(grant) = read(
        "GRANT SELECT (a, b), INSERT ON TABLE s.t, u TO PUBLIC, CURRENT_USER WITH GRANT OPTION",
    ) else {
        panic!()
    };
    assert!(grant.grant && grant.option);
    assert_eq!(grant.rights.len(), 2);
    assert_eq!(grant.rights[0].1.len(), 2);
    assert!(
        matches!(&grant.objects, GrantObjects::Named(GrantKind::Table, names) if names.len() == 2)
    );
    let RoleStatement::Membership(grant) =
        read("GRANT a, b TO c WITH INHERIT TRUE, SET FALSE GRANTED BY d")
    else {
        panic!()
    };
    assert_eq!(grant.options, [(MembershipOption::Inherit, true), (MembershipOption::Set, false)]);
    let RoleStatement::Rights(grant) = read("REVOKE ALL ON ALL TABLES IN SCHEMA s FROM r CASCADE")
    else {
        panic!()
    };
    assert!(!grant.grant && grant.cascade && grant.rights.is_empty());
    let RoleStatement::Rights(grant) = read("GRANT EXECUTE ON FUNCTION f(int, text[]), g TO r")
    else {
        panic!()
    };
    assert_eq!(
        grant.objects,
        GrantObjects::Functions(vec!["f(int,text[])".to_owned(), "g".to_owned()])
    );
    read("GRANT SELECT ON type TO r");
    read(
        "ALTER DEFAULT PRIVILEGES FOR ROLE etl IN SCHEMA public GRANT SELECT ON TABLES TO analyst",
    );
}

#[test]
fn graph_rights() {
    let RoleStatement::GraphRights(grant) =
        read("DENY READ {ssn, name} ON GRAPH social NODES Person, Company TO analyst")
    else {
        panic!()
    };
    assert_eq!((grant.verb, grant.action), (GraphVerb::Deny, GraphAction::Read));
    assert_eq!((grant.properties.len(), grant.labels.len()), (2, 2));
    let RoleStatement::GraphRights(grant) =
        read("REVOKE GRANT MATCH (*) ON GRAPH social RELATIONSHIPS * FROM analyst")
    else {
        panic!()
    };
    assert_eq!(grant.verb, GraphVerb::RevokeGrant);
    assert_eq!(grant.elements, GraphElements::Relationships);
    // The same words are rights on other objects too.
    assert!(matches!(read("GRANT CREATE ON SCHEMA s TO r"), RoleStatement::Rights(_)));
    assert!(matches!(read("GRANT DELETE ON t TO r"), RoleStatement::Rights(_)));
}
