//! Parameter structs: one Rust definition gives the bytes and the WGSL.

use std::fmt::Write;

/// A field of a parameter struct, laid out so that a uniform buffer may hold it: scalars as they
/// are, lists as vec4s.
pub trait Field {
    /// WGSL: its type.
    fn wgsl(&self) -> String;
    /// Its alignment.
    fn align(&self) -> usize;
    fn write(&self, bytes: &mut Vec<u8>);
}

macro_rules! scalar_fields {
    ($($t:ty),*) => {$(
        impl Field for $t {
            fn wgsl(&self) -> String {
                stringify!($t).to_owned()
            }
            fn align(&self) -> usize {
                4
            }
            fn write(&self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
        }

        /// Element `i` is `field[i / 4][i % 4]`.
        impl Field for Vec<$t> {
            fn wgsl(&self) -> String {
                let quads = self.len().div_ceil(4).max(1);
                format!("array<vec4<{}>, {quads}>", stringify!($t))
            }
            fn align(&self) -> usize {
                16
            }
            fn write(&self, bytes: &mut Vec<u8>) {
                for value in self {
                    value.write(bytes);
                }
                let missing = self.len().max(1).next_multiple_of(4) - self.len();
                bytes.resize(bytes.len() + 4 * missing, 0);
            }
        }
    )*};
}

scalar_fields!(u32, i32, f32);

/// A rendered parameter struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// `struct Params { ... }`
    pub wgsl: String,
    pub bytes: Vec<u8>,
}

impl Params {
    pub fn of(fields: &[(&str, &dyn Field)]) -> Self {
        let mut wgsl = "struct Params {\n".to_owned();
        let mut bytes = Vec::new();
        for (name, field) in fields {
            let _ = writeln!(wgsl, "    {name}: {},", field.wgsl());
            bytes.resize(bytes.len().next_multiple_of(field.align()), 0);
            field.write(&mut bytes);
        }
        wgsl.push_str("}\n");
        bytes.resize(bytes.len().next_multiple_of(16), 0);
        Params { wgsl, bytes }
    }
}

/// Defines a parameter struct with a method `fields()` for [`Params::of`]; in WGSL it is `params`,
/// of type `Params`.
macro_rules! params {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$doc:meta])* $field:ident: $t:ty,)* }) => {
        $(#[$meta])*
        $vis struct $name { $($(#[$doc])* $field: $t,)* }

        impl $name {
            $vis fn fields(&self) -> Vec<(&str, &dyn $crate::params::Field)> {
                vec![$((stringify!($field), &self.$field),)*]
            }
        }
    };
}
pub(crate) use params;

#[cfg(test)]
mod tests {
    #[test]
    fn layout_is_that_of_a_uniform() {
        params! {
            struct Example {
                n: u32,
                sizes: Vec<u32>,
                scale: f32,
            }
        }
        let example = Example {
            n: 7,
            sizes: vec![1, 2, 3, 4, 5],
            scale: 1.0,
        };
        let params = crate::params::Params::of(&example.fields());
        assert_eq!(
            params.wgsl,
            "struct Params {\n    n: u32,\n    sizes: array<vec4<u32>, 2>,\n    scale: f32,\n}\n"
        );
        let words: &[u32] = bytemuck::cast_slice(&params.bytes);
        let one = 1.0_f32.to_bits();
        assert_eq!(words, [7, 0, 0, 0, 1, 2, 3, 4, 5, 0, 0, 0, one, 0, 0, 0]);
    }
}
