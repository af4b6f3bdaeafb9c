//! What an expression evaluates to, and the arguments of the functions that it calls.
use crate::fields::number;
use crate::runner::Failure;
use crate::tensors::tensor;
use serde_json::Value;
use slalom_array::DType;
use slalom_autograd::Tensor;
use std::collections::VecDeque;
use std::fmt;

/// A value.
#[derive(Debug, Clone)]
pub(crate) enum Object {
    None,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    DType(DType),
    Tensor(Tensor),
    /// Filters whose cells are so far apart along each axis.
    Dilated(Tensor, Vec<usize>),
    List(Vec<Object>),
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Object::Tensor(tensor) => write!(f, "a tensor {}", tensor.shape()),
            other => write!(f, "{other:?}"),
        }
    }
}

impl From<Tensor> for Object {
    fn from(tensor: Tensor) -> Object {
        Object::Tensor(tensor)
    }
}

impl From<Vec<Tensor>> for Object {
    fn from(tensors: Vec<Tensor>) -> Object {
        Object::List(tensors.into_iter().map(Object::Tensor).collect())
    }
}

impl Object {
    /// What stands in the files for a constant: a tensor, or plain JSON.
    pub(crate) fn parse(value: &Value) -> Result<Object, Failure> {
        Ok(match value {
            Value::Null => Object::None,
            Value::Bool(truth) => Object::Bool(*truth),
            Value::Number(n) => {
                n.as_i64().map_or_else(|| number(value).map(Object::Float), |n| Ok(Object::Integer(n)))?
            }
            Value::String(text) => Object::Text(text.clone()),
            Value::Array(items) => Object::List(items.iter().map(Object::parse).collect::<Result<_, _>>()?),
            Value::Object(_) => Object::Tensor(tensor(value)?),
        })
    }

    fn unlike<T>(&self, expected: &str) -> Result<T, Failure> {
        Err(format!("expected {expected}, got {self}").into())
    }

    pub(crate) fn tensor(&self) -> Result<Tensor, Failure> {
        match self {
            Object::Tensor(tensor) => Ok(tensor.clone()),
            other => other.unlike("a tensor"),
        }
    }

    pub(crate) fn float(&self) -> Result<f64, Failure> {
        match self {
            Object::Float(x) => Ok(*x),
            Object::Integer(n) => Ok(*n as f64),
            other => other.unlike("a number"),
        }
    }

    pub(crate) fn integer(&self) -> Result<i64, Failure> {
        match self {
            Object::Integer(n) => Ok(*n),
            other => other.unlike("an integer"),
        }
    }

    pub(crate) fn list(&self) -> Result<&[Object], Failure> {
        match self {
            Object::List(items) => Ok(items),
            other => other.unlike("a list"),
        }
    }

    /// The tensors of a list, or of one tensor.
    pub(crate) fn tensors(&self) -> Result<Vec<Tensor>, Failure> {
        match self {
            Object::List(items) => items.iter().map(Object::tensor).collect(),
            other => Ok(vec![other.tensor()?]),
        }
    }

    /// The integers of a list, or one integer.
    pub(crate) fn integers(&self) -> Result<Vec<isize>, Failure> {
        match self {
            Object::List(items) => items.iter().map(|item| Ok(item.integer()? as isize)).collect(),
            other => Ok(vec![other.integer()? as isize]),
        }
    }
}

/// The arguments of a call. A function takes them in the order of its signature and must take all.
pub(crate) struct Arguments {
    pub(crate) positional: VecDeque<Object>,
    pub(crate) keywords: Vec<(String, Object)>,
}

impl Arguments {
    /// The next parameter, called `name`; `None` where it is not given.
    pub(crate) fn optional(&mut self, name: &str) -> Option<Object> {
        match self.keywords.iter().position(|(keyword, _)| keyword == name) {
            Some(i) => Some(self.keywords.swap_remove(i).1),
            None => self.positional.pop_front(),
        }
    }

    /// A parameter that has a name only.
    pub(crate) fn keyword(&mut self, name: &str) -> Option<Object> {
        let found = self.keywords.iter().position(|(keyword, _)| keyword == name);
        found.map(|i| self.keywords.swap_remove(i).1)
    }

    pub(crate) fn take(&mut self, name: &str) -> Result<Object, Failure> {
        self.optional(name).ok_or_else(|| format!("no argument {name}").into())
    }

    pub(crate) fn tensor(&mut self, name: &str) -> Result<Tensor, Failure> {
        self.take(name)?.tensor()
    }

    pub(crate) fn tensors(&mut self, name: &str) -> Result<Vec<Tensor>, Failure> {
        self.take(name)?.tensors()
    }

    pub(crate) fn float_or(&mut self, name: &str, default: f64) -> Result<f64, Failure> {
        self.optional(name).map_or(Ok(default), |value| value.float())
    }

    pub(crate) fn integer(&mut self, name: &str) -> Result<i64, Failure> {
        self.take(name)?.integer()
    }

    pub(crate) fn integer_or(&mut self, name: &str, default: i64) -> Result<i64, Failure> {
        self.optional(name).map_or(Ok(default), |value| value.integer())
    }

    pub(crate) fn integers(&mut self, name: &str) -> Result<Vec<isize>, Failure> {
        self.take(name)?.integers()
    }

    /// The axes to reduce over: an integer or a list; `None` for all.
    pub(crate) fn axes(&mut self, name: &str) -> Result<Option<Vec<isize>>, Failure> {
        match self.optional(name) {
            None | Some(Object::None) => Ok(None),
            Some(axes) => axes.integers().map(Some),
        }
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, Failure> {
        self.flag_or(name, false)
    }

    pub(crate) fn flag_or(&mut self, name: &str, default: bool) -> Result<bool, Failure> {
        match self.optional(name) {
            None => Ok(default),
            Some(Object::Bool(flag)) => Ok(flag),
            Some(other) => other.unlike("a truth value"),
        }
    }

    pub(crate) fn dtype(&mut self, name: &str) -> Result<DType, Failure> {
        match self.take(name)? {
            Object::DType(dtype) => Ok(dtype),
            other => other.unlike("a dtype"),
        }
    }

    pub(crate) fn finish(self) -> Result<(), Failure> {
        if let Some(extra) = self.positional.front() {
            return Err(format!("an argument that is not understood: {extra}").into());
        }
        match self.keywords.first() {
            Some((name, _)) => Err(format!("an argument that is not understood: {name}").into()),
            None => Ok(()),
        }
    }
}
