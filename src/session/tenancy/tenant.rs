//! One tenant while the server runs: what its options say, and who is connected.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;

use super::registry::TenantRecord;
use crate::error::{PgError, SqlState};
use crate::types::TenantId;

/// The name of the tenant that owns the server.
pub(in crate::session) const SYSTEM_NAME: &str = "system";

/// A tenant.
#[derive(Debug)]
pub(in crate::session) struct Tenant {
    pub(in crate::session) id: TenantId,
    record: RwLock<Arc<TenantRecord>>,
    /// Sessions that are logged in.
    pub(in crate::session) connections: AtomicUsize,
}

/// A session's place in its tenant; left when it is dropped.
#[derive(Debug)]
pub(in crate::session) struct TenantPlace(Arc<Tenant>);

impl Drop for TenantPlace {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Tenant {
    pub(in crate::session) fn new(record: TenantRecord) -> Arc<Self> {
        Arc::new(Self {
            id: record.id,
            record: RwLock::new(Arc::new(record)),
            connections: AtomicUsize::new(0),
        })
    }

    /// The tenant that owns the server.
    pub(in crate::session) fn system(created_us: i64) -> Arc<Self> {
        Self::new(TenantRecord {
            id: TenantId::SYSTEM,
            name: SYSTEM_NAME.to_owned(),
            owner: super::super::engine::SYSTEM_ROLE,
            created_us,
            suspended: false,
            options: Default::default(),
        })
    }

    pub(in crate::session) fn record(&self) -> Arc<TenantRecord> {
        Arc::clone(&self.record.read())
    }

    pub(in crate::session) fn set_record(&self, record: TenantRecord) {
        *self.record.write() = Arc::new(record);
    }

    pub(in crate::session) fn name(&self) -> String {
        self.record.read().name.clone()
    }

    /// Counts a session.
    pub(in crate::session) fn enter(self: &Arc<Self>) -> TenantPlace {
        self.connections.fetch_add(1, Ordering::Relaxed);
        TenantPlace(Arc::clone(self))
    }
}

impl TenantRecord {
    /// An option's value.
    pub(in crate::session) fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// The quotas that its options name.
    pub(in crate::session) fn quotas(&self) -> Vec<String> {
        let named = [self.option("tier"), self.option("quota")];
        named.into_iter().flatten().map(str::to_owned).collect()
    }

    /// Whether nothing may be changed in it.
    pub(in crate::session) fn is_read_only(&self) -> bool {
        self.option("read_only") == Some("on")
    }

    /// A limit on how many of its objects there may be.
    pub(in crate::session) fn limit(&self, name: &str) -> Option<usize> {
        self.option(name)?.parse().ok()
    }

    /// Whether its users may come from an address; a local connection comes from none.
    pub(in crate::session) fn allows(&self, address: Option<IpAddr>) -> bool {
        let (Some(list), Some(address)) = (self.option("allowed_cidrs"), address) else {
            return true;
        };
        list.split(',').filter_map(|one| Cidr::parse(one.trim())).any(|cidr| cidr.holds(address))
    }

    /// What a client is told that may not come in now.
    pub(in crate::session) fn suspended(&self) -> PgError {
        PgError::new(SqlState::CANNOT_CONNECT_NOW, format!("tenant \"{}\" is suspended", self.name))
    }
}

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cidr {
    network: u128,
    /// Bits of the address that count.
    bits: u32,
    is_v6: bool,
}

impl Cidr {
    /// `10.0.0.0/8`, `::1`, `192.0.2.7`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let width = if address.is_ipv6() { 128 } else { 32 };
        let bits = bits.unwrap_or(width);
        if bits > width {
            return None;
        }
        let cidr = Self { network: number(address), bits, is_v6: address.is_ipv6() };
        Some(Self { network: cidr.masked(cidr.network), ..cidr })
    }

    fn masked(self, address: u128) -> u128 {
        let width = if self.is_v6 { 128 } else { 32 };
        let host = width - self.bits;
        if host >= 128 { 0 } else { address >> host << host }
    }

    fn holds(self, address: IpAddr) -> bool {
        // A socket of both families gives IPv4 addresses in IPv6's form.
        let address = address.to_canonical();
        address.is_ipv6() == self.is_v6 && self.masked(number(address)) == self.network
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_their_addresses() {
        let holds =
            |cidr: &str, address: &str| Cidr::parse(cidr).unwrap().holds(address.parse().unwrap());
        assert!(holds("10.0.0.0/8", "10.255.0.1"));
        assert!(!holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("10.1.2.3", "10.1.2.3"));
        assert!(!holds("10.1.2.3", "10.1.2.4"));
        assert!(holds("0.0.0.0/0", "203.0.113.9"));
        assert!(!holds("0.0.0.0/0", "::1"));
        assert!(holds("::/0", "2001:db8::1"));
        assert!(holds("127.0.0.0/8", "::ffff:127.0.0.1"));
        for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "x", "10.0.0.0/-1"] {
            assert_eq!(Cidr::parse(wrong), None, "{wrong}");
        }
    }
}
