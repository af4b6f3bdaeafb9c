//! What all schedules do with their arguments in the same way.

/// Defines a schedule by its arguments: the struct, `new`, a builder method for each argument with a default, the name, and
/// what reads the arguments from a config and writes them into one.
///
/// The arguments of `new` stand in parentheses, each with the type in which it is given and that in which it is kept.
macro_rules! arguments {
    (
        $(#[$doc:meta])*
        pub struct $schedule:ident;
        $(#[$new_doc:meta])*
        new($($argument:ident: $given:ty => $kept:ty),*);
        $( $(#[$option_doc:meta])* $option:ident: $type:ty = $default:expr; )*
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $schedule {
            $($argument: $kept,)*
            $($option: $type,)*
            name: Option<String>,
        }

        impl $schedule {
            pub(super) const CLASS_NAME: &str = stringify!($schedule);

            $(#[$new_doc])*
            pub fn new($($argument: $given),*) -> $schedule {
                $schedule { $($argument: $argument.into(),)* $($option: $default,)* name: None }
            }

            $(
                $(#[$option_doc])*
                #[must_use]
                pub fn $option(self, $option: $type) -> $schedule {
                    $schedule { $option, ..self }
                }
            )*

            /// A name, which stands in the config. Default: none.
            #[must_use]
            pub fn name(self, name: impl Into<String>) -> $schedule {
                $schedule { name: Some(name.into()), ..self }
            }

            pub(super) fn read(reader: &mut $crate::config::Reader<'_>) -> slalom_array::Result<$schedule> {
                Ok($schedule {
                    $($argument: reader.take(stringify!($argument))?,)*
                    $($option: reader.take_or(stringify!($option), $default)?,)*
                    name: reader.take_or("name", None)?,
                })
            }

            /// All arguments, as a config holds them.
            fn arguments(&self) -> $crate::config::Config {
                use $crate::config::ToValue;
                $crate::config::object([
                    $((stringify!($argument), self.$argument.to_value()),)*
                    $((stringify!($option), self.$option.to_value()),)*
                    ("name", self.name.to_value()),
                ])
            }
        }
    };
}
pub(super) use arguments;
