//! Sets of places in a block.

const WORDS: usize = 16;

/// A set of places below 1024. Nearly always one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RowSet {
    One(u16),
    Many(Box<[u64; WORDS]>),
}

impl RowSet {
    fn empty() -> Self {
        Self::Many(Box::new([0; WORDS]))
    }

    pub(super) fn contains(&self, place: u16) -> bool {
        match self {
            Self::One(only) => *only == place,
            Self::Many(words) => {
                words.get(usize::from(place >> 6)).is_some_and(|word| word >> (place & 63) & 1 == 1)
            }
        }
    }

    pub(super) fn insert(&mut self, place: u16) {
        match self {
            Self::One(only) if *only == place => {}
            Self::One(only) => {
                let before = *only;
                *self = Self::empty();
                self.insert(before);
                self.insert(place);
            }
            Self::Many(words) => {
                if let Some(word) = words.get_mut(usize::from(place >> 6)) {
                    *word |= 1 << (place & 63);
                }
            }
        }
    }

    /// Takes `other` out; whether nothing is left.
    pub(super) fn remove(&mut self, other: &Self) -> bool {
        match (&mut *self, other) {
            (Self::One(only), other) => other.contains(*only),
            (Self::Many(words), Self::One(place)) => {
                if let Some(word) = words.get_mut(usize::from(place >> 6)) {
                    *word &= !(1 << (place & 63));
                }
                words.iter().all(|word| *word == 0)
            }
            (Self::Many(words), Self::Many(gone)) => {
                for (word, gone) in words.iter_mut().zip(gone.iter()) {
                    *word &= !gone;
                }
                words.iter().all(|word| *word == 0)
            }
        }
    }

    /// Adds a place to a set that may not be there yet.
    pub(super) fn add(set: &mut Option<Self>, place: u16) {
        match set {
            Some(set) => set.insert(place),
            None => *set = Some(Self::One(place)),
        }
    }
}
