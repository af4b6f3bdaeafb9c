//! Configurations of optimizers.
use super::{Case, Kind, Valid};
use slalom_array::Result;
use slalom_optim::Optimizer;
use slalom_optim::rules::{Adam, Sgd};
use slalom_optim::schedules::{CosineDecay, PiecewiseConstantDecay};

/// What is wrong in a config, as replacements of text.
const WRONG: &[(&str, &str)] = &[
    ("\"class_name\"", "\"class\""),
    ("\"SGD\"", "\"sgd \""),
    ("\"SGD\"", "\"Unknown\""),
    ("\"SGD\"", "7"),
    ("\"SGD\"", "null"),
    ("\"SGD\"", "[\"SGD\"]"),
    ("\"CosineDecay\"", "\"SGD\""),
    ("\"CosineDecay\"", "\"\""),
    ("\"decay_steps\": 100", "\"decay_steps\": \"ten\""),
    ("\"decay_steps\": 100", "\"decay_steps\": null"),
    ("\"decay_steps\": 100", "\"decay_steps\": 0"),
    ("\"decay_steps\": 100", "\"decay_steps\": -1"),
    ("\"decay_steps\": 100", "\"decay_steps\": 1e999"),
    ("\"decay_steps\": 100", "\"decay_steps\": []"),
    ("\"decay_steps\": 100", "\"steps\": 100"),
    ("\"decay_steps\": 100", "\"decay_steps\": 100, \"decay_steps\": 100"),
    ("\"momentum\": 0.9", "\"momentum\": 1.5"),
    ("\"momentum\": 0.9", "\"momentum\": -0.5"),
    ("\"momentum\": 0.9", "\"momentum\": true"),
    ("\"momentum\": 0.9", "\"momentum\": \"0.9\""),
    ("\"momentum\": 0.9", "\"momentum\": {}"),
    ("\"momentum\": 0.9", "\"momentum\": \"NaN\""),
    ("\"momentum\": 0.9", "\"momentum\": NaN"),
    ("\"momentum\": 0.9", "\"momentum\": .9"),
    ("\"momentum\": 0.9", "\"momentum\": 0.9,"),
    ("\"momentum\": 0.9", "\"momentum\" 0.9"),
    ("\"momentum\": 0.9", "\"momentum\": 0.9, \"momentum\": 0.9"),
    ("\"momentum\": 0.9", "\"Momentum\": 0.9"),
    ("\"nesterov\": true", "\"nesterov\": 1"),
    ("\"nesterov\": true", "\"nesterov\": \"true\""),
    ("\"nesterov\": true", "\"nesterov\": True"),
    ("\"nesterov\": true", "\"nesterov\": null"),
    ("\"boundaries\": [", "\"boundaries\": [1000000, "),
    ("\"boundaries\": [", "\"boundaries\": [\"x\", "),
    ("\"values\": [", "\"values\": ["),
    ("\"values\": [", "\"values\": [1.0, "),
    ("\"values\": [", "\"values\": [null, "),
    ("\"values\": [", "\"values\": [[], "),
    ("\"clipnorm\": 1.0", "\"clipnorm\": -1.0"),
    ("\"clipnorm\": 1.0", "\"clipnorm\": 1.0, \"global_clipnorm\": 1.0"),
    ("\"clipnorm\": 1.0", "\"clipnorm\": \"one\""),
    ("\"name\": \"SGD\"", "\"name\": 7"),
    ("\"name\": \"Adam\"", "\"name\": \"\\ud800\""),
    ("{", "["),
    ("{", "{{"),
    ("{", "{\"more\": 1, "),
    ("{", ""),
];

pub(crate) fn valid() -> Result<Vec<Valid>> {
    let optimizers = [
        Optimizer::new(Sgd::new(CosineDecay::new(0.1, 100)).momentum(0.9).nesterov(true))?.clipnorm(1.0)?,
        Optimizer::new(Adam::new(PiecewiseConstantDecay::new([10, 20], [0.1, 0.01, 0.001])))?,
    ];
    let file = |optimizer: &Optimizer| {
        let text = format!("{:#}", optimizer.serialize()?);
        let wrong = WRONG.iter().filter(|(from, to)| text.contains(from) && from != to);
        let others = wrong.map(|(from, to)| Case {
            name: format!("{from} replaced by {to}"),
            bytes: text.replacen(from, to, 1).into_bytes(),
        });
        let name = format!("the config of {}", optimizer.rule().class_name());
        let (bytes, others) = (text.clone().into_bytes(), others.collect());
        Ok(Valid { name, kind: Kind::Config, head: bytes.len(), bytes, fits: true, others })
    };
    let mut files: Vec<Valid> = optimizers.iter().map(file).collect::<Result<_>>()?;
    files[0].others.extend(around());
    Ok(files)
}

/// Rules around rules that cannot be within others.
fn around() -> impl Iterator<Item = Case> {
    ["Lookahead", "lookahead", "LBFGS", "TruncatedNewton", "", "Unknown"].into_iter().map(|inner| {
        let json = serde_json::json!({"class_name": "Lookahead", "config": {"inner": inner}});
        Case { name: format!("Lookahead around {inner:?}"), bytes: json.to_string().into_bytes() }
    })
}
