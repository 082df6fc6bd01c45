//! Enums that are stored, sent and printed by name: one table for each.

/// Declares an enum with the word of each variant, and optionally its code.
macro_rules! words {
    ($(#[$outer:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident $(= $code:literal)? => $word:literal,)+ }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$inner])* $variant $(= $code)?,)+ }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word for it in tables, JSON and the ledger.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The value of a word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.word() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

/// Gives access to the codes of an enum that [`words!`] declares with codes.
macro_rules! codes {
    ($($name:ident),+) => {$(
        impl $name {
            /// The number for it in the ledger's tables and in the warden's messages. It never changes.
            #[must_use]
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// The value of a code.
            #[must_use]
            pub fn from_code(code: impl Into<i64>) -> Option<Self> {
                let code = code.into();
                Self::ALL.iter().copied().find(|value| i64::from(value.code()) == code)
            }
        }
    )+};
}

pub(crate) use {codes, words};
