//! A `Debug` that says what a value is and not which.

/// Implements `Debug` for secret types without showing what they hold.
macro_rules! hidden {
    ($($secret:ty),+ $(,)?) => {
        $(impl std::fmt::Debug for $secret {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($secret), "(hidden)"))
            }
        })+
    };
}
pub(crate) use hidden;
