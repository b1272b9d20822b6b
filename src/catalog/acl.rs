//! Access control lists: who may do what with one object, who said so, and who may pass it on.
//!
//! The rules of granting and revoking are PostgreSQL's: a right stands on the grant option of the one who gave it, and
//! falls with it.
//!
//! Source: PostgreSQL `src/backend/utils/adt/acl.c`, documentation chapter 5.7.

use serde::{Deserialize, Serialize};

use crate::types::Oid;

/// A set of rights, one bit each, as PostgreSQL numbers them (`ACL_INSERT` …).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct Rights(pub u32);

impl Rights {
    /// None.
    pub const NONE: Self = Self(0);
    /// `INSERT`
    pub const INSERT: Self = Self(1);
    /// `SELECT`
    pub const SELECT: Self = Self(1 << 1);
    /// `UPDATE`
    pub const UPDATE: Self = Self(1 << 2);
    /// `DELETE`
    pub const DELETE: Self = Self(1 << 3);
    /// `TRUNCATE`
    pub const TRUNCATE: Self = Self(1 << 4);
    /// `REFERENCES`
    pub const REFERENCES: Self = Self(1 << 5);
    /// `TRIGGER`
    pub const TRIGGER: Self = Self(1 << 6);
    /// `EXECUTE`
    pub const EXECUTE: Self = Self(1 << 7);
    /// `USAGE`
    pub const USAGE: Self = Self(1 << 8);
    /// `CREATE`
    pub const CREATE: Self = Self(1 << 9);
    /// `TEMPORARY`
    pub const TEMPORARY: Self = Self(1 << 10);
    /// `CONNECT`
    pub const CONNECT: Self = Self(1 << 11);
    /// `SET`
    pub const SET: Self = Self(1 << 12);
    /// `ALTER SYSTEM`
    pub const ALTER_SYSTEM: Self = Self(1 << 13);

    /// Every right: its bit, its letter in an ACL's text, its name, in the order of an ACL's text.
    pub const ALL: &'static [(Self, char, &'static str)] = &[
        (Self::INSERT, 'a', "INSERT"),
        (Self::SELECT, 'r', "SELECT"),
        (Self::UPDATE, 'w', "UPDATE"),
        (Self::DELETE, 'd', "DELETE"),
        (Self::TRUNCATE, 'D', "TRUNCATE"),
        (Self::REFERENCES, 'x', "REFERENCES"),
        (Self::TRIGGER, 't', "TRIGGER"),
        (Self::EXECUTE, 'X', "EXECUTE"),
        (Self::USAGE, 'U', "USAGE"),
        (Self::CREATE, 'C', "CREATE"),
        (Self::TEMPORARY, 'T', "TEMPORARY"),
        (Self::CONNECT, 'c', "CONNECT"),
        (Self::SET, 's', "SET"),
        (Self::ALTER_SYSTEM, 'A', "ALTER SYSTEM"),
    ];

    /// Whether it has all of `other`.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether it has any of `other`.
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that are in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that are in either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are not in `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The right of a name, in any case; `TEMP` is `TEMPORARY`.
    pub fn named(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("TEMP") {
            return Some(Self::TEMPORARY);
        }
        Self::ALL.iter().find(|(_, _, known)| known.eq_ignore_ascii_case(name)).map(|one| one.0)
    }

    /// The single rights in it, in the order of an ACL's text.
    pub fn each(self) -> impl Iterator<Item = (Self, &'static str)> {
        let mine = Self::ALL.iter().filter(move |(right, _, _)| self.contains(*right));
        mine.map(|(right, _, name)| (*right, *name))
    }
}

/// The kinds of objects that have an ACL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AclClass {
    /// A table, view, materialized view or foreign table.
    Table,
    /// A sequence.
    Sequence,
    /// A property graph.
    Graph,
    /// A column of a table.
    Column,
    /// A database.
    Database,
    /// A schema.
    Schema,
    /// A function or procedure.
    Function,
    /// A type or domain.
    Type,
    /// A language.
    Language,
    /// A configuration parameter.
    Parameter,
    /// A tablespace.
    Tablespace,
    /// A foreign-data wrapper.
    ForeignDataWrapper,
    /// A foreign server.
    ForeignServer,
    /// A large object.
    LargeObject,
}

impl AclClass {
    /// Every right that such an object knows.
    pub fn all(self) -> Rights {
        let bits = |rights: &[Rights]| Rights(rights.iter().map(|right| right.0).sum());
        match self {
            Self::Table => bits(&[
                Rights::INSERT,
                Rights::SELECT,
                Rights::UPDATE,
                Rights::DELETE,
                Rights::TRUNCATE,
                Rights::REFERENCES,
                Rights::TRIGGER,
            ]),
            Self::Sequence => bits(&[Rights::USAGE, Rights::SELECT, Rights::UPDATE]),
            Self::Graph => Rights::SELECT,
            Self::Column => {
                bits(&[Rights::INSERT, Rights::SELECT, Rights::UPDATE, Rights::REFERENCES])
            }
            Self::Database => bits(&[Rights::CREATE, Rights::TEMPORARY, Rights::CONNECT]),
            Self::Schema => bits(&[Rights::USAGE, Rights::CREATE]),
            Self::Function => Rights::EXECUTE,
            Self::Type | Self::Language | Self::ForeignDataWrapper | Self::ForeignServer => {
                Rights::USAGE
            }
            Self::Parameter => bits(&[Rights::SET, Rights::ALTER_SYSTEM]),
            Self::Tablespace => Rights::CREATE,
            Self::LargeObject => bits(&[Rights::SELECT, Rights::UPDATE]),
        }
    }

    /// What everybody may do with a new one.
    pub fn public_default(self) -> Rights {
        match self {
            Self::Database => Rights::TEMPORARY.or(Rights::CONNECT),
            Self::Function => Rights::EXECUTE,
            Self::Type | Self::Language => Rights::USAGE,
            Self::Table
            | Self::Sequence
            | Self::Graph
            | Self::Column
            | Self::Schema
            | Self::Parameter
            | Self::Tablespace
            | Self::ForeignDataWrapper
            | Self::ForeignServer
            | Self::LargeObject => Rights::NONE,
        }
    }

    /// The ACL of an object that none was stored for.
    pub fn default_acl(self, owner: Oid) -> Acl {
        let public = self.public_default();
        let own = match self {
            Self::Column => Rights::NONE,
            other => other.all(),
        };
        let item =
            |grantee, rights| AclItem { grantee, grantor: owner, rights, options: Rights::NONE };
        let items = [(PUBLIC, public), (owner, own)];
        let items = items.into_iter().filter(|(_, rights)| !rights.is_empty());
        Acl(items.map(|(grantee, rights)| item(grantee, rights)).collect())
    }

    /// The class of a letter of `acldefault`'s first argument.
    pub fn of_letter(letter: char) -> Option<Self> {
        Some(match letter {
            'c' => Self::Column,
            'r' => Self::Table,
            's' => Self::Sequence,
            'g' => Self::Graph,
            'd' => Self::Database,
            'f' => Self::Function,
            'l' => Self::Language,
            'L' => Self::LargeObject,
            'n' => Self::Schema,
            'p' => Self::Parameter,
            't' => Self::Tablespace,
            'F' => Self::ForeignDataWrapper,
            'S' => Self::ForeignServer,
            'T' => Self::Type,
            _ => return None,
        })
    }
}

/// The grantee that stands for everybody.
pub const PUBLIC: Oid = Oid::INVALID;

/// What one role gave another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AclItem {
    /// Who has it; [`PUBLIC`] is everybody.
    pub grantee: Oid,
    /// Who gave it.
    pub grantor: Oid,
    /// The rights.
    pub rights: Rights,
    /// Those of them that the grantee may pass on.
    pub options: Rights,
}

/// An access control list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Acl(pub Vec<AclItem>);

/// A right that rests on one that would be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DependentRights;

impl Acl {
    /// The rights that any of `roles` has, or everybody.
    pub fn rights_of(&self, mut has: impl FnMut(Oid) -> bool) -> Rights {
        let mut rights = Rights::NONE;
        for item in &self.0 {
            if !rights.contains(item.rights) && (item.grantee == PUBLIC || has(item.grantee)) {
                rights = rights.or(item.rights);
            }
        }
        rights
    }

    /// The rights that any of `roles` may pass on.
    pub fn options_of(&self, mut has: impl FnMut(Oid) -> bool) -> Rights {
        let mut rights = Rights::NONE;
        for item in &self.0 {
            if item.grantee != PUBLIC && !item.options.is_empty() && has(item.grantee) {
                rights = rights.or(item.options);
            }
        }
        rights
    }

    /// The rights that may be passed on by exactly this role; the owner may pass on all.
    fn options_held(&self, role: Oid, owner: Oid) -> Rights {
        if role == owner {
            return Rights(u32::MAX);
        }
        self.options_of(|grantee| grantee == role)
    }

    fn item(&mut self, grantee: Oid, grantor: Oid) -> usize {
        let known = |item: &AclItem| item.grantee == grantee && item.grantor == grantor;
        match self.0.iter().position(known) {
            Some(at) => at,
            None => {
                let (rights, options) = (Rights::NONE, Rights::NONE);
                self.0.push(AclItem { grantee, grantor, rights, options });
                self.0.len() - 1
            }
        }
    }

    fn sweep(&mut self) {
        self.0.retain(|item| !item.rights.is_empty() || !item.options.is_empty());
    }

    /// Gives rights, with the option to pass them on where `option` is set.
    pub fn grant(&mut self, grantee: Oid, grantor: Oid, rights: Rights, option: bool) {
        let at = self.item(grantee, grantor);
        if let Some(item) = self.0.get_mut(at) {
            item.rights = item.rights.or(rights);
            if option {
                item.options = item.options.or(rights);
            }
        }
        self.sweep();
    }

    /// Takes rights away, or with `option_only` the option to pass them on. What the grantee gave on the strength of them
    /// goes too if `cascade` is set.
    ///
    /// # Errors
    /// [`DependentRights`] if something rests on them and `cascade` is not set.
    pub fn revoke(
        &mut self,
        grantee: Oid,
        grantor: Oid,
        owner: Oid,
        rights: Rights,
        option_only: bool,
        cascade: bool,
    ) -> Result<(), DependentRights> {
        let known = |item: &AclItem| item.grantee == grantee && item.grantor == grantor;
        let Some(item) = self.0.iter_mut().find(|item| known(item)) else { return Ok(()) };
        let lost = item.options.and(rights);
        item.options = item.options.without(rights);
        if !option_only {
            item.rights = item.rights.without(rights);
        }
        self.sweep();
        if lost.is_empty() || grantee == PUBLIC {
            return Ok(());
        }
        self.recurse(grantee, owner, lost, cascade)
    }

    /// After `role` lost the option to pass on `lost`: what it passed on goes, unless another gave it the same option.
    fn recurse(
        &mut self,
        role: Oid,
        owner: Oid,
        lost: Rights,
        cascade: bool,
    ) -> Result<(), DependentRights> {
        let lost = lost.without(self.options_held(role, owner));
        if lost.is_empty() {
            return Ok(());
        }
        let resting = |item: &&AclItem| item.grantor == role && item.rights.intersects(lost);
        while let Some(item) = self.0.iter().find(resting).copied() {
            if !cascade {
                return Err(DependentRights);
            }
            self.revoke(item.grantee, role, owner, lost, false, true)?;
        }
        Ok(())
    }

    /// The list after the object went from one owner to another: the new one stands where the old one stood.
    pub fn change_owner(&mut self, from: Oid, to: Oid) {
        let mut changed = Self::default();
        for item in &self.0 {
            let swap = |role| if role == from { to } else { role };
            let (grantee, grantor) = (swap(item.grantee), swap(item.grantor));
            let at = changed.item(grantee, grantor);
            if let Some(slot) = changed.0.get_mut(at) {
                slot.rights = slot.rights.or(item.rights);
                slot.options = slot.options.or(item.options);
            }
        }
        *self = changed;
    }

    /// Whether a role stands in it, as grantee or grantor.
    pub fn names(&self, role: Oid) -> bool {
        self.0.iter().any(|item| item.grantee == role || item.grantor == role)
    }

    /// Each item in PostgreSQL's text, `alice=arw*/bob`; `name` gives a role's name, quoted where need be.
    pub fn texts(&self, name: impl Fn(Oid) -> String) -> Vec<String> {
        self.0.iter().map(|item| item.text(&name)).collect()
    }
}

impl AclItem {
    /// `alice=arw*/bob`
    pub fn text(&self, name: &impl Fn(Oid) -> String) -> String {
        let mut text = if self.grantee == PUBLIC { String::new() } else { name(self.grantee) };
        text.push('=');
        for (right, letter, _) in Rights::ALL {
            if self.rights.contains(*right) {
                text.push(*letter);
                if self.options.contains(*right) {
                    text.push('*');
                }
            }
        }
        text.push('/');
        text.push_str(&name(self.grantor));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Oid = Oid(1);
    const A: Oid = Oid(2);
    const B: Oid = Oid(3);

    fn acl() -> Acl {
        AclClass::Table.default_acl(OWNER)
    }

    fn text(acl: &Acl) -> String {
        acl.texts(|oid| format!("r{oid}")).join(",")
    }

    #[test]
    fn defaults_have_postgresql_letters() {
        assert_eq!(text(&acl()), "r1=arwdDxt/r1");
        assert_eq!(text(&AclClass::Database.default_acl(OWNER)), "=Tc/r1,r1=CTc/r1");
        assert_eq!(text(&AclClass::Column.default_acl(OWNER)), "");
    }

    #[test]
    fn a_right_falls_with_the_option_it_rests_on() {
        let mut list = acl();
        list.grant(A, OWNER, Rights::SELECT, true);
        list.grant(B, A, Rights::SELECT, false);
        assert_eq!(text(&list), "r1=arwdDxt/r1,r2=r*/r1,r3=r/r2");
        let mut refused = list.clone();
        let restrict = refused.revoke(A, OWNER, OWNER, Rights::SELECT, false, false);
        assert_eq!(restrict, Err(DependentRights));
        list.revoke(A, OWNER, OWNER, Rights::SELECT, true, true).unwrap();
        assert_eq!(text(&list), "r1=arwdDxt/r1,r2=r/r1");
        list.revoke(A, OWNER, OWNER, Rights::SELECT, false, false).unwrap();
        assert_eq!(text(&list), "r1=arwdDxt/r1");
    }

    #[test]
    fn a_new_owner_stands_where_the_old_one_stood() {
        let mut list = acl();
        list.grant(A, OWNER, Rights::SELECT, false);
        list.change_owner(OWNER, A);
        assert_eq!(text(&list), "r2=arwdDxt/r2");
    }
}
