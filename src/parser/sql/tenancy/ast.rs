//! The syntax tree of statements on tenants, databases and quotas.

use sqlparser::ast::Ident;

/// A statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Tenancy {
    /// `CREATE TENANT`
    CreateTenant {
        /// IF NOT EXISTS
        if_not_exists: bool,
        /// Its name.
        name: Ident,
        /// WITH
        options: Vec<TenancyOption>,
    },
    /// `ALTER TENANT`
    AlterTenant {
        /// Its name.
        name: Ident,
        /// What is done.
        action: TenantAction,
    },
    /// `DROP TENANT`
    DropTenant {
        /// IF EXISTS
        if_exists: bool,
        /// Its name.
        name: Ident,
        /// CASCADE
        cascade: bool,
    },
    /// `SHOW TENANTS`
    ShowTenants,
    /// `CREATE QUOTA`
    CreateQuota {
        /// OR REPLACE
        or_replace: bool,
        /// IF NOT EXISTS
        if_not_exists: bool,
        /// Its name.
        name: Ident,
        /// All of it.
        body: QuotaBody,
    },
    /// `ALTER QUOTA`: parts that are given take the place of those that were there.
    AlterQuota {
        /// Its name.
        name: Ident,
        /// RENAME TO
        rename: Option<Ident>,
        /// What changes.
        body: QuotaBody,
    },
    /// `DROP QUOTA`
    DropQuota {
        /// IF EXISTS
        if_exists: bool,
        /// Its name.
        name: Ident,
    },
    /// `SHOW QUOTAS`
    ShowQuotas,
    /// `SHOW QUOTA USAGE`
    ShowQuotaUsage(Usage),
    /// `CREATE DATABASE`
    CreateDatabase {
        /// Its name.
        name: Ident,
        /// In order of writing.
        options: Vec<TenancyOption>,
    },
    /// `ALTER DATABASE`
    AlterDatabase {
        /// Its name.
        name: Ident,
        /// What is done.
        action: DatabaseAction,
    },
    /// `DROP DATABASE`
    DropDatabase {
        /// IF EXISTS
        if_exists: bool,
        /// Its name.
        name: Ident,
        /// WITH (FORCE)
        force: bool,
    },
    /// `SELECT graphwire.function(…)`: the twin of one of the statements above.
    Call {
        /// Its name without the schema.
        function: String,
        /// In order of writing; those that were named have a name.
        arguments: Vec<(Option<String>, Argument)>,
        /// The name of the result's column.
        column: String,
    },
}

/// `name = value`
#[derive(Debug, Clone, PartialEq)]
pub struct TenancyOption {
    /// Its name.
    pub name: Ident,
    /// Its value.
    pub value: OptionValue,
}

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub enum OptionValue {
    /// `'text'`
    Text(String),
    /// `12`
    Number(String),
    /// `on`
    Word(String),
}

impl OptionValue {
    /// Its text, whatever it is.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Number(text) | Self::Word(text) => text,
        }
    }
}

/// What `ALTER TENANT` does.
#[derive(Debug, Clone, PartialEq)]
pub enum TenantAction {
    /// SET (…)
    Set(Vec<TenancyOption>),
    /// RESET (…)
    Reset(Vec<Ident>),
    /// RENAME TO
    Rename(Ident),
    /// OWNER TO
    Owner(Ident),
    /// SUSPEND
    Suspend,
    /// RESUME
    Resume,
}

/// What `ALTER DATABASE` does.
#[derive(Debug, Clone, PartialEq)]
pub enum DatabaseAction {
    /// RENAME TO
    Rename(Ident),
    /// OWNER TO
    Owner(Ident),
    /// WITH options
    Options(Vec<TenancyOption>),
}

/// What stands behind a quota's name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QuotaBody {
    /// KEYED BY: `TENANT`, `ROLE`, `API KEY`, `CLIENT ADDRESS`, or empty for NOT KEYED.
    pub keyed: Option<String>,
    /// FOR INTERVAL
    pub intervals: Option<Vec<QuotaInterval>>,
    /// LIMIT
    pub gauges: Option<Vec<TenancyOption>>,
    /// ON EXCEEDED: `REJECT`, `NOTICE`, or `DELAY` with its interval.
    pub exceeded: Option<(String, Option<String>)>,
    /// TO
    pub to: Option<Vec<QuotaTarget>>,
}

/// `FOR [RANDOMIZED] INTERVAL …`
#[derive(Debug, Clone, PartialEq)]
pub struct QuotaInterval {
    /// RANDOMIZED
    pub randomized: bool,
    /// Its text: `1 hour`.
    pub interval: String,
    /// What holds in it.
    pub limits: QuotaLimits,
}

/// What holds in an interval.
#[derive(Debug, Clone, PartialEq)]
pub enum QuotaLimits {
    /// MAX metric = number, … [BURST number]
    Max(Vec<TenancyOption>, Option<String>),
    /// NO LIMITS
    NoLimits,
    /// TRACKING ONLY
    TrackingOnly,
}

/// Who gets a quota.
#[derive(Debug, Clone, PartialEq)]
pub enum QuotaTarget {
    /// TENANT name
    Tenant(Ident),
    /// A role.
    Role(Ident),
    /// ALL, EXCEPT these.
    All(Vec<Ident>),
}

/// Whose usage is shown.
#[derive(Debug, Clone, PartialEq)]
pub enum Usage {
    /// The own tenant's.
    Own,
    /// A tenant's.
    Tenant(Ident),
    /// Everybody's.
    All,
}

/// An argument of a function.
#[derive(Debug, Clone, PartialEq)]
pub enum Argument {
    /// A constant, as text.
    Text(String),
    /// `NULL`
    Null,
    /// `$1` is 0.
    Parameter(usize),
}

impl Tenancy {
    /// The query that a SHOW stands for.
    pub fn query(&self) -> Option<String> {
        match self {
            Self::ShowTenants => Some("SELECT * FROM graphwire.tenants ORDER BY tenant".to_owned()),
            Self::ShowQuotas => Some("SELECT * FROM graphwire.quotas ORDER BY quota".to_owned()),
            Self::ShowQuotaUsage(usage) => {
                let which = match usage {
                    Usage::Own => "WHERE tenant = graphwire.current_tenant()".to_owned(),
                    Usage::Tenant(name) => {
                        let name = match name.quote_style {
                            Some(_) => name.value.clone(),
                            None => name.value.to_lowercase(),
                        };
                        format!("WHERE tenant = '{}'", name.replace('\'', "''"))
                    }
                    Usage::All => String::new(),
                };
                Some(format!(
                    "SELECT * FROM graphwire.quota_usage {which} ORDER BY tenant, quota, key, metric"
                ))
            }
            Self::CreateTenant { .. }
            | Self::AlterTenant { .. }
            | Self::DropTenant { .. }
            | Self::CreateQuota { .. }
            | Self::AlterQuota { .. }
            | Self::DropQuota { .. }
            | Self::CreateDatabase { .. }
            | Self::AlterDatabase { .. }
            | Self::DropDatabase { .. }
            | Self::Call { .. } => None,
        }
    }
}
