//! The words that dates and times are written with.

/// A word that means something in a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    Now,
    Today,
    Tomorrow,
    Yesterday,
    /// `allballs`: midnight UTC.
    Midnight,
    Epoch,
    Infinity,
    NegativeInfinity,
    Month(u32),
    Weekday,
    Am,
    Pm,
    Ad,
    Bc,
    /// `dst` after a zone's abbreviation.
    Daylight,
    Ignored,
    /// `t` before an ISO time.
    IsoTime,
    Julian,
    /// A unit of time; PostgreSQL knows it here only to refuse it.
    Unit,
}

pub(super) fn keyword(word: &str) -> Option<Keyword> {
    Some(match word {
        "now" => Keyword::Now,
        "today" => Keyword::Today,
        "tomorrow" => Keyword::Tomorrow,
        "yesterday" => Keyword::Yesterday,
        "allballs" => Keyword::Midnight,
        "epoch" => Keyword::Epoch,
        "infinity" => Keyword::Infinity,
        "-infinity" => Keyword::NegativeInfinity,
        "jan" | "january" => Keyword::Month(1),
        "feb" | "february" => Keyword::Month(2),
        "mar" | "march" => Keyword::Month(3),
        "apr" | "april" => Keyword::Month(4),
        "may" => Keyword::Month(5),
        "jun" | "june" => Keyword::Month(6),
        "jul" | "july" => Keyword::Month(7),
        "aug" | "august" => Keyword::Month(8),
        "sep" | "sept" | "september" => Keyword::Month(9),
        "oct" | "october" => Keyword::Month(10),
        "nov" | "november" => Keyword::Month(11),
        "dec" | "december" => Keyword::Month(12),
        "sun" | "sunday" | "mon" | "monday" | "tue" | "tues" | "tuesday" | "wed" | "weds"
        | "wednesday" | "thu" | "thur" | "thurs" | "thursday" | "fri" | "friday" | "sat"
        | "saturday" => Keyword::Weekday,
        "am" => Keyword::Am,
        "pm" => Keyword::Pm,
        "ad" => Keyword::Ad,
        "bc" => Keyword::Bc,
        "dst" => Keyword::Daylight,
        "at" | "on" => Keyword::Ignored,
        "t" => Keyword::IsoTime,
        "j" | "jd" | "julian" => Keyword::Julian,
        "y" | "m" | "d" | "h" | "mm" | "s" | "dow" | "doy" | "isodow" | "isoyear" => Keyword::Unit,
        _ => return None,
    })
}
