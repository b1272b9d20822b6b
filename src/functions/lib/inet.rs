//! Network addresses: what `inet` is asked about and compared by.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::row;
use crate::error::{PgError, SqlState};
use crate::functions::datum::{Args, Call, Datum, Value};
use crate::functions::signature::{Def, def};

/// An address with the length of its network's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Inet {
    address: IpAddr,
    prefix: u32,
}

impl Inet {
    fn read(text: &str) -> Result<Self, PgError> {
        let invalid = || {
            PgError::new(
                SqlState::INVALID_TEXT_REPRESENTATION,
                format!("invalid input syntax for type inet: \"{text}\""),
            )
        };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse().map_err(|_| invalid())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let whole = Self { address, prefix: width(address) };
        Ok(Self { prefix: prefix.unwrap_or(whole.prefix).min(whole.prefix), ..whole })
    }

    /// The address as a number, its last bit the lowest.
    fn bits(self) -> u128 {
        match self.address {
            IpAddr::V4(address) => u32::from(address).into(),
            IpAddr::V6(address) => address.into(),
        }
    }

    fn with_bits(self, bits: u128) -> Self {
        let address = match self.address {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from(bits as u32)),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(bits)),
        };
        Self { address, ..self }
    }

    /// Ones where the host is.
    fn host_bits(self) -> u128 {
        match width(self.address) - self.prefix {
            128 => u128::MAX,
            bits => (1 << bits) - 1,
        }
    }

    fn is_same_family(self, other: Self) -> bool {
        self.address.is_ipv4() == other.address.is_ipv4()
    }

    /// Whether `other` is in this network, or is it.
    fn contains(self, other: Self) -> bool {
        self.is_same_family(other)
            && self.prefix <= other.prefix
            && self.bits() & !self.host_bits() == other.bits() & !self.host_bits()
    }

    fn whole(self) -> Self {
        Self { prefix: width(self.address), ..self }
    }

    fn text(self) -> String {
        match self.prefix == width(self.address) {
            true => self.address.to_string(),
            false => format!("{}/{}", self.address, self.prefix),
        }
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn inet(args: Args<'_, '_>, index: usize) -> Result<Inet, PgError> {
    Inet::read(args.text(index)?)
}

fn text(text: String) -> Result<Value, PgError> {
    Ok(Datum::Text(text.into()))
}

fn compare(args: Args<'_, '_>, holds: impl Fn(Inet, Inet) -> bool) -> Result<Value, PgError> {
    Ok(Datum::Bool(holds(inet(args, 0)?, inet(args, 1)?)))
}

fn set_masklen(_: &Call<'_>, args: Args<'_, '_>) -> Result<Value, PgError> {
    let (value, length) = (inet(args, 0)?, args.int(1)?);
    let prefix = if length == -1 { Some(width(value.address)) } else { u32::try_from(length).ok() };
    match prefix.filter(|prefix| *prefix <= width(value.address)) {
        Some(prefix) => text(Inet { prefix, ..value }.text()),
        None => Err(PgError::new(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("invalid mask length: {length}"),
        )),
    }
}

pub(super) const FUNCTIONS: &[Def] = &[
    def("host(inet) text", row(|_, a| text(inet(a, 0)?.address.to_string()))),
    def("masklen(inet) int4", row(|_, a| Ok(Datum::Int(inet(a, 0)?.prefix.into())))),
    def(
        "family(inet) int4",
        row(|_, a| Ok(Datum::Int(if inet(a, 0)?.address.is_ipv4() { 4 } else { 6 }))),
    ),
    def("abbrev(inet) text", row(|_, a| text(inet(a, 0)?.text()))),
    def(
        "netmask(inet) inet",
        row(|_, a| {
            let value = inet(a, 0)?;
            let ones = Inet { prefix: 0, ..value }.host_bits();
            text(value.with_bits(ones & !value.host_bits()).whole().text())
        }),
    ),
    def(
        "hostmask(inet) inet",
        row(|_, a| {
            let value = inet(a, 0)?;
            text(value.with_bits(value.host_bits()).whole().text())
        }),
    ),
    def(
        "broadcast(inet) inet",
        row(|_, a| {
            let value = inet(a, 0)?;
            text(value.with_bits(value.bits() | value.host_bits()).text())
        }),
    ),
    def("set_masklen(inet, int4) inet", row(set_masklen)),
    def("inet_same_family(inet, inet) bool", row(|_, a| compare(a, Inet::is_same_family))),
];

pub(super) const OPERATORS: &[Def] = &[
    def("<<=(inet, inet) bool", row(|_, a| compare(a, |one, other| other.contains(one)))),
    def(">>=(inet, inet) bool", row(|_, a| compare(a, Inet::contains))),
    def(
        "<<(inet, inet) bool",
        row(|_, a| compare(a, |one, other| other.contains(one) && one.prefix > other.prefix)),
    ),
    def(
        ">>(inet, inet) bool",
        row(|_, a| compare(a, |one, other| one.contains(other) && other.prefix > one.prefix)),
    ),
    def(
        "&&(inet, inet) bool",
        row(|_, a| compare(a, |one, other| one.contains(other) || other.contains(one))),
    ),
];
