//! What all rules do with their arguments in the same way.
use crate::Hyper;
use crate::config::{Config, Dialect, Reader};
use serde_json::Value;
use slalom_array::{Error, ErrorKind, Result};

/// Defines a rule by its arguments: the struct, `new`, a builder method for each argument with a default, and what reads
/// them from a config and writes them into one.
///
/// In `pub struct Name(0.001)` the number is the learning rate that a config without one means. A hyperparameter may be
/// restricted, `within(0.0, 1.0)` or `non_negative()`, or its default may be what 0 stands for (`nonzero()`): in the builder and in
/// configs of the reference, but not in those of Keras 3.
macro_rules! arguments {
    (
        $(#[$doc:meta])*
        pub struct $rule:ident($rate:expr);
        hypers { $( $(#[$hyper_doc:meta])* $hyper:ident = $hyper_default:expr $(, $check:ident($($bound:expr),*))?; )* }
        options { $( $(#[$option_doc:meta])* $option:ident: $type:ty = $option_default:expr; )* }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $rule {
            learning_rate: $crate::Hyper,
            $($hyper: $crate::Hyper,)*
            $($option: $type,)*
        }

        impl $rule {
            /// With this learning rate, and the defaults.
            pub fn new<M>(learning_rate: impl $crate::IntoHyper<M>) -> $rule {
                $rule {
                    learning_rate: learning_rate.into_hyper(),
                    $($hyper: $crate::Hyper::Number($hyper_default),)*
                    $($option: $option_default,)*
                }
            }

            $(
                $(#[$hyper_doc])*
                #[must_use]
                pub fn $hyper<M>(self, $hyper: impl $crate::IntoHyper<M>) -> $rule {
                    let given = $hyper.into_hyper();
                    $rule { $hyper: arguments!(@given given, $hyper_default $(, $check)?), ..self }
                }
            )*

            $(
                $(#[$option_doc])*
                #[must_use]
                pub fn $option(self, $option: $type) -> $rule {
                    $rule { $option, ..self }
                }
            )*

            /// All arguments from a config.
            #[allow(dead_code, reason = "a rule whose defaults depend on the config's dialect reads it itself")]
            pub(super) fn read(
                reader: &mut $crate::config::Reader<'_>,
            ) -> slalom_array::Result<$rule> {
                let rule = $rule::new($crate::rules::arguments::hyper(reader, "learning_rate", $rate)?);
                let mut rule = rule;
                $( rule.$hyper = arguments!(@read reader, stringify!($hyper), $hyper_default $(, $check)?); )*
                $( let rule = rule.$option(reader.take_or(stringify!($option), $option_default)?); )*
                Ok(rule)
            }

            /// The hyperparameters with their names and ranges.
            fn named(&self) -> Vec<$crate::NamedHyper> {
                vec![
                    self.learning_rate.named("learning_rate"),
                    $( arguments!(@named self.$hyper, stringify!($hyper) $(, $check($($bound),*))?), )*
                ]
            }

            /// The other arguments.
            fn options(&self) -> $crate::config::Config {
                $crate::config::object([$( (stringify!($option), self.$option.clone().into()), )*])
            }
        }
    };
    (@given $given:ident, $default:expr, nonzero) => { $crate::rules::arguments::nonzero($given, $default) };
    (@given $given:ident, $default:expr $(, $check:ident)?) => { $given };
    (@read $reader:ident, $name:expr, $default:expr, nonzero) => {{
        let read = $crate::rules::arguments::hyper($reader, $name, $default)?;
        if $crate::rules::arguments::is_keras_3($reader) {
            read
        } else {
            $crate::rules::arguments::nonzero(read, $default)
        }
    }};
    (@read $reader:ident, $name:expr, $default:expr $(, $check:ident)?) => {
        $crate::rules::arguments::hyper($reader, $name, $default)?
    };
    (@named $hyper:expr, $name:expr, nonzero()) => { $hyper.named($name) };
    (@named $hyper:expr, $name:expr $(, $check:ident($($bound:expr),*))?) => {
        $hyper.named($name)$(.$check($($bound),*))?
    };
}
pub(super) use arguments;

/// A hyperparameter from a config. Keras writes `null` for a weight decay of 0.
pub(super) fn hyper(reader: &mut Reader<'_>, name: &'static str, default: f64) -> Result<Hyper> {
    if name.ends_with("weight_decay") && reader.take_or(name, Value::from(default))?.is_null() {
        return Ok(Hyper::Number(0.0));
    }
    reader.take_hyper_or(name, default).map(Hyper::from)
}

/// The default in place of 0, as the reference has it.
pub(super) fn nonzero(given: Hyper, default: f64) -> Hyper {
    match given {
        Hyper::Number(0.0) => Hyper::Number(default),
        given => given,
    }
}

/// Whether a config is one of Keras 3, not of `tf.keras.optimizers.legacy`.
pub(super) fn is_keras_3(reader: &Reader<'_>) -> bool {
    reader.dialect() == Dialect::Keras3
}

/// What corrects the bias of a moment with this decay in step `t`: `1 - βᵗ`.
pub(super) fn bias_correction(beta: f64, t: f64) -> f64 {
    1.0 - beta.powf(t)
}

/// A config without those of these options that are not set: Keras does not have them.
pub(super) fn without_defaults(mut config: Config, own: &[&str]) -> Config {
    config.retain(|key, value| {
        !own.contains(&key.as_str()) || !(value.is_null() || *value == false && key != "epsilon_in_root")
    });
    config
}

/// Refuses an argument that is less, or not finite.
pub(super) fn at_least(name: &'static str, value: f64, least: f64) -> Result<()> {
    if value >= least && value.is_finite() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Argument, name, format!("a finite number of at least {least}"), value))
}
