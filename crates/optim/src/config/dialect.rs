//! The two Kerases.
use super::Config;

/// The key with which Keras 2.11 to 2.15 say whether an optimizer is a legacy one.
pub(crate) const IS_LEGACY: &str = "is_legacy_optimizer";

/// Which Keras a config is of: they give one name to different formulas and defaults.
///
/// `RMSprop` and `Adagrad`, for example, have their ε outside of the root in the one, inside in the other.
///
/// ```
/// use slalom_optim::config::{Dialect, object};
/// assert_eq!(Dialect::of(&object([("decay", 0.0.into())])), Dialect::Legacy);
/// assert_eq!(Dialect::of(&object([("weight_decay", ().into())])), Dialect::Keras3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// `tf.keras.optimizers.legacy`, the reference.
    #[default]
    Legacy,
    /// `keras.optimizers` of Keras 3, and the optimizers of Keras 2.11 to 2.15 that are not in its legacy module.
    Keras3,
}

impl Dialect {
    /// The dialect that the keys of an optimizer's config show: a legacy one has `decay`, one of Keras 3 has `weight_decay` or another
    /// of its options, and `is_legacy_optimizer` says it. Where there is none of them it is taken for a legacy one.
    pub fn of(config: &Config) -> Dialect {
        if let Some(legacy) = config.get(IS_LEGACY).and_then(serde_json::Value::as_bool) {
            return if legacy { Dialect::Legacy } else { Dialect::Keras3 };
        }
        const KEYS: [&str; 5] =
            ["weight_decay", "use_ema", "ema_momentum", "loss_scale_factor", "gradient_accumulation_steps"];
        if !config.contains_key("decay") && KEYS.iter().any(|key| config.contains_key(*key)) {
            Dialect::Keras3
        } else {
            Dialect::Legacy
        }
    }

    /// The module that serialized optimizers name.
    pub(crate) fn module(self) -> &'static str {
        match self {
            Dialect::Legacy => "keras.optimizers.legacy",
            Dialect::Keras3 => "keras.optimizers",
        }
    }

    /// The arguments that an optimizer of this class prints, but for those of all; `None` for classes that the dialect
    /// lacks.
    pub(crate) fn arguments(self, class_name: &str) -> Option<&'static [&'static str]> {
        CLASSES.iter().find(|row| row.0 == class_name && row.1.contains(&self)).map(|row| row.2)
    }

    /// The arguments that all optimizers print. Legacy ones print only those clip options that are set.
    pub(crate) fn common(self) -> &'static [&'static str] {
        match self {
            Dialect::Legacy => {
                &["name", "learning_rate", "decay", "clipvalue", "clipnorm", "global_clipnorm"]
            }
            Dialect::Keras3 => &[
                "name",
                "learning_rate",
                "weight_decay",
                "clipnorm",
                "global_clipnorm",
                "clipvalue",
                "use_ema",
                "ema_momentum",
                "ema_overwrite_frequency",
                "loss_scale_factor",
                "gradient_accumulation_steps",
            ],
        }
    }
}

const BOTH: &[Dialect] = &[Dialect::Legacy, Dialect::Keras3];
const KERAS_3: &[Dialect] = &[Dialect::Keras3];

/// Classes with their dialects and arguments.
const CLASSES: &[(&str, &[Dialect], &[&str])] = &[
    ("SGD", BOTH, &["momentum", "nesterov"]),
    ("RMSprop", BOTH, &["rho", "momentum", "epsilon", "centered"]),
    ("Adagrad", BOTH, &["initial_accumulator_value", "epsilon"]),
    ("Adadelta", BOTH, &["rho", "epsilon"]),
    ("Adam", BOTH, &["beta_1", "beta_2", "epsilon", "amsgrad"]),
    ("Adamax", BOTH, &["beta_1", "beta_2", "epsilon"]),
    ("Nadam", BOTH, &["beta_1", "beta_2", "epsilon"]),
    (
        "Ftrl",
        BOTH,
        &[
            "learning_rate_power",
            "initial_accumulator_value",
            "l1_regularization_strength",
            "l2_regularization_strength",
            "l2_shrinkage_regularization_strength",
            "beta",
        ],
    ),
    ("AdamW", KERAS_3, &["beta_1", "beta_2", "epsilon", "amsgrad"]),
    ("Lion", KERAS_3, &["beta_1", "beta_2"]),
    ("Lamb", KERAS_3, &["beta_1", "beta_2", "epsilon"]),
    ("Adafactor", KERAS_3, &["beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold", "relative_step"]),
    (
        "Muon",
        KERAS_3,
        &[
            "adam_beta_1",
            "adam_beta_2",
            "adam_lr_ratio",
            "adam_weight_decay",
            "epsilon",
            "exclude_embeddings",
            "exclude_layers",
            "momentum",
            "muon_a",
            "muon_b",
            "muon_c",
            "nesterov",
            "ns_steps",
            "rms_rate",
        ],
    ),
];
