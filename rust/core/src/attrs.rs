//! Parameters of ops.  One definition ([`params!`]) gives the Rust struct,
//! its conversion from keyword arguments and ONNX attributes, and its
//! description for `explain`, plan keys and export.

use crate::{DType, Error, Result};
use std::fmt;
use std::hash::{Hash, Hasher};

/// A parameter's value as Python, ONNX and `explain` see it.
#[derive(Clone, Debug, PartialEq)]
pub enum Attr {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    Ints(Vec<i64>),
    Floats(Vec<f64>),
    Strs(Vec<String>),
    DType(DType),
}

impl fmt::Display for Attr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Attr::None => f.write_str("None"),
            Attr::Bool(v) => f.write_str(if *v { "True" } else { "False" }),
            Attr::Int(v) => write!(f, "{v}"),
            Attr::Float(v) => write!(f, "{v}"),
            Attr::Str(v) => write!(f, "'{v}'"),
            Attr::Ints(v) => write!(f, "{v:?}"),
            Attr::Floats(v) => write!(f, "{v:?}"),
            Attr::Strs(v) => write!(f, "{v:?}"),
            Attr::DType(v) => write!(f, "{v}"),
        }
    }
}

impl Hash for Attr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Attr::None => {}
            Attr::Bool(v) => v.hash(state),
            Attr::Int(v) => v.hash(state),
            Attr::Float(v) => v.to_bits().hash(state),
            Attr::Str(v) => v.hash(state),
            Attr::Ints(v) => v.hash(state),
            Attr::Floats(v) => v.iter().for_each(|x| x.to_bits().hash(state)),
            Attr::Strs(v) => v.hash(state),
            Attr::DType(v) => v.hash(state),
        }
    }
}

/// Named parameters in the order of their definition.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
pub struct Attrs(pub Vec<(String, Attr)>);

impl Attrs {
    pub fn new() -> Self {
        Attrs::default()
    }

    #[must_use]
    #[allow(clippy::needless_pass_by_value)]
    pub fn with(mut self, name: &str, value: impl ToAttr) -> Self {
        self.0.push((name.to_owned(), value.to_attr()));
        self
    }

    pub fn set(&mut self, name: &str, value: Attr) {
        match self.0.iter_mut().find(|(n, _)| n == name) {
            Some(slot) => slot.1 = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    pub fn get(&self, name: &str) -> Option<&Attr> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// Those called `names`, and the rest.
    pub fn split(&self, names: &[&str]) -> (Attrs, Attrs) {
        let (own, rest) = self
            .0
            .iter()
            .cloned()
            .partition(|(name, _)| names.contains(&name.as_str()));
        (Attrs(own), Attrs(rest))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Attrs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, value)) in self.0.iter().enumerate() {
            write!(f, "{}{name}={value}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// Reads a parameter; the error says what was wanted.
pub trait FromAttr: Sized {
    fn from_attr(attr: &Attr) -> std::result::Result<Self, &'static str>;
}

pub trait ToAttr {
    fn to_attr(&self) -> Attr;
}

macro_rules! attr_of {
    ($ty:ty, $wanted:literal, $($pattern:pat $(if $guard:expr)? => $value:expr),+; $self:ident => $attr:expr) => {
        impl FromAttr for $ty {
            fn from_attr(attr: &Attr) -> std::result::Result<Self, &'static str> {
                match attr {
                    $($pattern $(if $guard)? => Ok($value),)+
                    _ => Err($wanted),
                }
            }
        }
        impl ToAttr for $ty {
            fn to_attr(&$self) -> Attr { $attr }
        }
    };
}

attr_of!(bool, "a bool", Attr::Bool(v) => *v, Attr::Int(v @ (0 | 1)) => *v == 1; self => Attr::Bool(*self));
attr_of!(i64, "an int", Attr::Int(v) => *v; self => Attr::Int(*self));
attr_of!(usize, "an int >= 0", Attr::Int(v @ 0..) => *v as usize; self => Attr::Int(*self as i64));
attr_of!(f64, "a number", Attr::Float(v) => *v, Attr::Int(v) => *v as f64; self => Attr::Float(*self));
attr_of!(String, "a string", Attr::Str(v) => v.clone(); self => Attr::Str(self.clone()));
attr_of!(Vec<i64>, "a sequence of ints", Attr::Ints(v) => v.clone(), Attr::Int(v) => vec![*v],
    Attr::Floats(v) if v.is_empty() => Vec::new(); self => Attr::Ints(self.clone()));
attr_of!(Vec<usize>, "an int >= 0 or a sequence of them", Attr::Int(v @ 0..) => vec![*v as usize],
    Attr::Ints(v) if v.iter().all(|x| *x >= 0) => v.iter().map(|x| *x as usize).collect(),
    Attr::Floats(v) if v.is_empty() => Vec::new();
    self => Attr::Ints(self.iter().map(|x| *x as i64).collect()));
attr_of!(Vec<f64>, "a sequence of numbers", Attr::Floats(v) => v.clone(), Attr::Float(v) => vec![*v],
    Attr::Int(v) => vec![*v as f64],
    Attr::Ints(v) => v.iter().map(|x| *x as f64).collect(); self => Attr::Floats(self.clone()));
attr_of!([usize; 2], "an int >= 0 or a pair of them", Attr::Int(v @ 0..) => [*v as usize; 2],
    Attr::Ints(v) if v.len() == 2 && v.iter().all(|x| *x >= 0) => [v[0] as usize, v[1] as usize];
    self => Attr::Ints(self.iter().map(|x| *x as i64).collect()));

impl FromAttr for DType {
    fn from_attr(attr: &Attr) -> std::result::Result<Self, &'static str> {
        match attr {
            Attr::DType(v) => Ok(*v),
            Attr::Str(name) => DType::from_name(name).ok_or("a dtype"),
            _ => Err("a dtype"),
        }
    }
}

impl ToAttr for DType {
    fn to_attr(&self) -> Attr {
        Attr::DType(*self)
    }
}

impl ToAttr for &str {
    fn to_attr(&self) -> Attr {
        Attr::Str((*self).to_owned())
    }
}

impl ToAttr for Attr {
    fn to_attr(&self) -> Attr {
        self.clone()
    }
}

impl<T: FromAttr> FromAttr for Option<T> {
    fn from_attr(attr: &Attr) -> std::result::Result<Self, &'static str> {
        match attr {
            Attr::None => Ok(None),
            other => T::from_attr(other).map(Some),
        }
    }
}

impl<T: ToAttr> ToAttr for Option<T> {
    fn to_attr(&self) -> Attr {
        self.as_ref().map_or(Attr::None, ToAttr::to_attr)
    }
}

pub fn bad_attr(op: &str, name: &str, got: &Attr, wanted: &str) -> Error {
    Error::argument(format!("{op}: {name}={got} is not {wanted}"))
}

pub fn missing_attr(op: &str, name: &str) -> Error {
    Error::argument(format!("{op}: the keyword argument '{name}' is required"))
}

/// Refuses keywords that the op does not have.
pub fn check_names(op: &str, attrs: &Attrs, known: &[&str]) -> Result<()> {
    for (name, _) in &attrs.0 {
        if !known.contains(&name.as_str()) {
            let takes = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            return Err(Error::argument(format!(
                "{op}: unknown keyword argument '{name}'; it takes: {takes}"
            )));
        }
    }
    Ok(())
}

/// Defines an op's parameter struct with `from_attrs(op, &Attrs)` and
/// `to_attrs()`.  A field without a default is required.
#[macro_export]
macro_rules! params {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$fmeta:meta])* $field:ident : $ty:ty $(= $default:expr)?),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        pub struct $name { $($(#[$fmeta])* pub $field: $ty,)* }

        impl $name {
            #[allow(unused_variables, clippy::unnecessary_wraps)]
            pub fn from_attrs(op: &str, attrs: &$crate::Attrs) -> $crate::Result<Self> {
                $crate::attrs::check_names(op, attrs, &[$(stringify!($field)),*])?;
                Ok($name { $($field: match attrs.get(stringify!($field)) {
                    Some(attr) => <$ty as $crate::attrs::FromAttr>::from_attr(attr)
                        .map_err(|wanted| $crate::attrs::bad_attr(op, stringify!($field), attr, wanted))?,
                    None => $crate::params!(@default op, $field $(, $default)?),
                },)* })
            }

            #[allow(dead_code)]
            pub fn to_attrs(&self) -> $crate::Attrs {
                $crate::Attrs(vec![$((
                    stringify!($field).to_owned(),
                    $crate::attrs::ToAttr::to_attr(&self.$field),
                )),*])
            }
        }
    };
    (@default $op:ident, $field:ident) => {
        return Err($crate::attrs::missing_attr($op, stringify!($field)))
    };
    (@default $op:ident, $field:ident, $default:expr) => { $default };
}
